"""Threads: so many at once, a share for each server, and what is refused counted."""

from bot.threads import Admission, Threads
from detectors.records import RoomKey


def thread(guild: int, number: int) -> RoomKey:
    return RoomKey("discord", f"{guild}/{number}")


def admit(threads: Threads, guild: int, number: int, *guilds: int) -> Admission:
    return threads.admit(thread(guild, number), thread(guild, 1), {str(one) for one in guilds})


def test_one_server_alone_may_have_all_and_what_is_beyond_is_counted_once() -> None:
    threads = Threads(4)
    assert all(admit(threads, 7, 10 + number, 7).ok for number in range(4))
    for _ in range(3):
        assert not admit(threads, 7, 20, 7).ok
    assert not admit(threads, 7, 21, 7).ok
    assert (threads.refused("7"), threads.refused("8")) == (2, 0)
    threads.drop(thread(7, 10))
    assert admit(threads, 7, 20, 7).ok
    assert threads.refused("7") == 1


def test_another_server_gets_its_share_from_the_one_with_the_most() -> None:
    threads = Threads(4)
    for number in range(4):
        admit(threads, 7, 10 + number, 7)
    assert admit(threads, 8, 10, 7, 8) == Admission(True, thread(7, 10))
    assert admit(threads, 8, 11, 7, 8) == Admission(True, thread(7, 11))
    assert not admit(threads, 8, 12, 7, 8).ok
    assert not admit(threads, 7, 14, 7, 8).ok
    assert (len(threads.below(thread(7, 1))), len(threads.below(thread(8, 1)))) == (2, 2)
    assert (threads.refused("7"), threads.refused("8")) == (1, 1)


def test_each_of_many_servers_has_a_right_to_one() -> None:
    threads = Threads(2)
    for guild in (7, 8):
        assert admit(threads, guild, 10, 7, 8, 9).ok
    assert threads.share(3) == 1
    assert not admit(threads, 9, 10, 7, 8, 9).ok  # the others have no more than their own
