"""Which threads are listened to: so many at once, and of these to each server its share."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from detectors.records import RoomKey

#: Threads and forum posts that are listened to at once, beside the channels that are named.
MAX_THREADS: Final = 200
#: Refused threads that are remembered for a server, so that each counts once.
MAX_REFUSED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a thread is listened to, and which other one makes room for it."""

    ok: bool
    instead: RoomKey | None = None


class Threads:
    """The threads that are listened to because the channel above is. While there is room, a server may have more than
    its share; when there is none, the server with the most gives up its longest one for one that has less."""

    def __init__(self, most: int = MAX_THREADS) -> None:
        self._most = most
        self._above: dict[RoomKey, RoomKey] = {}
        self._refused: dict[str, OrderedDict[RoomKey, None]] = {}

    def __contains__(self, key: RoomKey) -> bool:
        return key in self._above

    def share(self, guilds: int) -> int:
        """Return how many threads each of so many servers has a right to."""
        return max(1, self._most // max(1, guilds))

    def admit(self, key: RoomKey, above: RoomKey, guilds: Collection[str]) -> Admission:
        """Take a thread in, if there is room for it. `guilds` are the servers that listen to something now."""
        guild, instead = guild_of(key), None
        if len(self._above) >= self._most:
            share = self.share(len({guild, *guilds}))
            instead = self._longest_of_most(share) if self._count(guild) < share else None
            if instead is None:
                refused = self._refused.setdefault(guild, OrderedDict())
                refused[key] = None
                while len(refused) > MAX_REFUSED:
                    refused.popitem(last=False)
                return Admission(False)
            self.drop(instead)
        self._above[key] = above
        self._refused.get(guild, OrderedDict()).pop(key, None)
        return Admission(True, instead)

    def drop(self, key: RoomKey) -> None:
        """Let go of a thread that is not listened to any more."""
        self._above.pop(key, None)

    def below(self, above: RoomKey) -> list[RoomKey]:
        """Return the threads of a channel."""
        return [thread for thread, channel in self._above.items() if channel == above]

    def refused(self, guild: str) -> int:
        """Return how many threads of a server were not listened to for want of room."""
        return len(self._refused.get(guild, ()))

    def _count(self, guild: str) -> int:
        return sum(guild_of(key) == guild for key in self._above)

    def _longest_of_most(self, share: int) -> RoomKey | None:
        counts: dict[str, int] = {}
        for key in self._above:
            counts[guild_of(key)] = counts.get(guild_of(key), 0) + 1
        most = max(counts, key=lambda guild: counts[guild])
        return next(key for key in self._above if guild_of(key) == most) if counts[most] > share else None


def guild_of(key: RoomKey) -> str:
    """Return the server of a channel or thread."""
    return key.address.partition("/")[0]
