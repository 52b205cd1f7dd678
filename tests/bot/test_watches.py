"""Watches of communities: what is allowed, what counts, and how a room is opened for several of them."""

import pytest

from bot.policy import Watch
from bot.store import Store
from bot.watches import RefusedWatchError, add_watch, list_watches, named_room, remove_watch, room_of, room_settings
from config.settings import RoomSettings, StreamSettings
from detectors.records import Account, Person, RoomKey

STREAMS = StreamSettings(hosts=["live.example", "127.0.0.1"], per_community=2)


def at(number: int) -> RoomKey:
    return RoomKey("media", f"https://live.example/{number}.m3u8")


async def add(store: Store, community: str, room: RoomKey, **options: str) -> None:
    watch = Watch(community, room, "discord:9", consent=True)
    await add_watch(store, watch, "discord:discord:1", options, STREAMS)


@pytest.mark.parametrize(
    ("kind", "place", "key"),
    [
        ("media", "https://elsewhere.example/a", "watch.host"),
        ("media", "https://live.example.evil.example/a", "watch.host"),
        ("media", "https://notlive.example/a", "watch.host"),
        ("media", "http://127.0.0.1/a", "watch.host"),  # on the list, but inside the operator's own network
        ("media", "http://169.254.169.254/latest", "watch.host"),
        ("media", "file:///etc/passwd", "watch.no_address"),
        ("media", "pipe:0", "watch.no_address"),
        ("media", "http://[x", "watch.no_address"),
        ("janus", "wss://[x]/janus", "watch.no_address"),
        ("janus", "https://live.example/janus#1", "watch.no_address"),
        ("discord", "lounge", "watch.no_channel"),
        ("replay", "show.jsonl", "watch.no_kind"),
    ],
)
def test_what_is_refused(kind: str, place: str, key: str) -> None:
    with pytest.raises(RefusedWatchError) as refused:
        room_of(kind, place, 77, STREAMS)
    assert refused.value.key == key


def test_what_is_allowed() -> None:
    assert room_of("discord", "<#5>", 77, STREAMS) == RoomKey("discord", "77/5")
    assert room_of("media", " https://cdn.LIVE.example/a ", 77, STREAMS).address == "https://cdn.LIVE.example/a"
    assert room_of("janus", "wss://live.example/janus#12", 77, STREAMS).kind == "janus"


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("<#5>", RoomKey("discord", "77/5")),
        (" 5 ", RoomKey("discord", "77/5")),
        ("77/5", RoomKey("discord", "77/5")),
        ("discord:77/5", RoomKey("discord", "77/5")),
        ("media:https://live.example/a", RoomKey("media", "https://live.example/a")),
        ("https://live.example/a", RoomKey("media", "https://live.example/a")),
        ("wss://live.example/janus#1", RoomKey("janus", "wss://live.example/janus#1")),
    ],
)
def test_a_room_goes_by_several_names(name: str, room: RoomKey) -> None:
    assert named_room(name, 77) == room


async def test_the_quota_counts_what_is_watched_not_what_was(store: Store) -> None:
    for number in (1, 2):
        await add(store, "77", at(number))
        assert await remove_watch(store, "77", at(number), "discord:discord:1")
    await add(store, "77", at(3))
    await add(store, "77", at(4))
    for number in (1, 5):  # one that was watched before, and a new one
        with pytest.raises(RefusedWatchError):
            await add(store, "77", at(number))
    await add(store, "77", at(3))  # a change is no new watch
    await add(store, "88", at(1))


async def test_no_community_changes_how_another_one_hears_a_room(store: Store) -> None:
    await add(store, "77", at(1), host="@kay")
    await add(store, "88", at(1), host="@mallory")
    rows = await list_watches(store, room=at(1))
    both = room_settings(at(1), rows, None, STREAMS)
    assert both is not None
    assert (both.host, [watch.community for watch in both.watches]) == (None, ["77", "88"])
    assert [row.watch.host for row in rows] == [
        Person(Account("media", "stream", name), name) for name in ("@kay", "@mallory")
    ]


async def test_of_a_live_show_the_first_community_says_who_its_host_is(store: Store) -> None:
    room = RoomKey("janus", "wss://live.example/janus#1")
    for community, name in (("88", "@kay"), ("77", "@mallory")):
        await add(store, community, room, host=name)
    rows = await list_watches(store, room=room)
    both = room_settings(room, rows, None, STREAMS)
    assert both is not None
    assert both.host == "@kay"
    assert [row.watch.host for row in rows] == [None, None]


async def test_what_the_file_says_of_a_room_stays(store: Store) -> None:
    in_file = RoomSettings.model_validate(
        {"kind": "media", "address": at(1).address, "host": "@kay", "lang": "fr", "watches": [{"consent": True}]}
    )
    await store.register([Watch("local", at(1), consent=True)])
    await add(store, "77", at(1), host="@mallory")
    opened = room_settings(at(1), await list_watches(store, room=at(1)), in_file, STREAMS)
    assert opened is not None
    assert (opened.host, opened.lang) == ("@kay", "fr")
    assert [watch.community for watch in opened.watches] == ["77", "local"]


async def test_a_host_that_was_taken_off_the_list_is_not_opened_any_more(store: Store) -> None:
    await add(store, "77", at(1))
    assert room_settings(at(1), await list_watches(store, room=at(1)), None, StreamSettings(hosts=[])) is None


async def test_a_thread_does_not_take_over_a_watch_of_its_own(store: Store) -> None:
    room = RoomKey("discord", "77/5")
    await add_watch(store, Watch("77", room, "discord:9", "high"), "discord:discord:1", {}, STREAMS)
    await store.register([Watch("77", room, "discord:1", "low")], "thread")
    (row,) = await list_watches(store, "77")
    assert (row.source, row.watch.channel, row.watch.sensitivity) == ("community", "discord:9", "high")
