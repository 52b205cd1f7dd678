"""How long lines take to be read, of late."""

from bot.delays import LATELY, MAX_LINES, Delays


def test_the_median_and_the_95th_percentile_of_the_newest_lines() -> None:
    now = [0.0]
    delays = Delays(lambda: now[0])
    assert delays.lately() is None
    for seconds in range(1, 101):
        delays.note(float(seconds))
    assert delays.lately() == (50.0, 96.0)
    now[0] = LATELY + 1
    assert delays.lately() is None
    delays.note(-3.0)  # clocks differ a little
    assert delays.lately() == (0.0, 0.0)
    for _ in range(2 * MAX_LINES):
        delays.note(1.0)
    assert delays.lately() == (1.0, 1.0)
