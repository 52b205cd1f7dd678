"""Hostile text in Discord's markdown: shown as it was said, and able to do nothing."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final

from bot.cards import defang

_SPACES: Final = re.compile(r"\s+")
_MARKS: Final = r"\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
#: Accents stacked on one letter, from the third on: they run over the lines above and below.
_ACCENTS: Final = re.compile(rf"(?<=[{_MARKS}]{{2}})[{_MARKS}]+")
#: Every sign that opens or closes something in Discord: emphasis, code, spoilers, lists, headings, quotes, masked
#: links, mentions, commands, times, emoji, addresses.
_SIGNS: Final = re.compile(r"[\\`*_~|<>#\-+\[\](){}@:/&=]")
_NUMBERED: Final = re.compile(r"^(\d+)\.")
_PINGS: Final = re.compile(r"\\@(?=everyone|here|\d|\\&|!)", re.IGNORECASE)
#: Drawn as nothing: they would hide what stands between, or make a name look empty.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\u2800\ufe00-\ufe0e\U000e0100-\U000e01ef]"
)
_CHANNEL: Final = re.compile(r"[0-9]{1,20}/([0-9]{1,20})")
_ACCOUNT: Final = re.compile(r"discord:[^:]*:([0-9]{1,20})")


def plain(text: str, most: int) -> str:
    """Return hostile text in one line of at most `most` characters before escaping, links dead, nothing active.

    Discord's server looks for mentions in the raw text, whatever is escaped: an unseen sign parts those. (Besides,
    messages are sent with all mentions switched off.)
    """
    seen = _UNSEEN.sub("", "".join(_visible(char) for char in text))
    one_line = _SPACES.sub(" ", _ACCENTS.sub("", seen)).strip()
    dead = defang(one_line)
    cut = dead if len(dead) <= most else dead[: most - 1].rstrip() + "…"
    escaped = _NUMBERED.sub(r"\1\\.", _SIGNS.sub(r"\\\g<0>", cut))
    return _PINGS.sub("\\\\@\u200b", escaped) or "…"


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if category in {"Cf", "Co", "Cn", "Cs"} else char


def person(account: str, most: int) -> str:
    """Return a moderator by account: Discord shows the name that the number stands for."""
    found = _ACCOUNT.fullmatch(account)
    return f"<@{found[1]}>" if found else f"**{plain(account.rpartition(':')[2] or account, most)}**"


def mention(account: str) -> str | None:
    """Return a Discord account as a person can click on it, or None for an account from elsewhere."""
    found = _ACCOUNT.fullmatch(account)
    return f"<@{found[1]}>" if found else None


def channel_mention(address: str) -> str | None:
    """Return a channel of `guild/channel` as a person can click on it, or None when it is no such address."""
    found = _CHANNEL.fullmatch(address)
    return f"<#{found[1]}>" if found else None


def moment(iso: str, style: str) -> str:
    """Return an ISO time as Discord shows it in each reader's own zone: `R` how long ago, `f` day and time."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return plain(iso, 40)
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return f"<t:{int(aware.timestamp())}:{style}>"


def length(text: str) -> int:
    """Return how long a text is in UTF-16 units: never less than what Discord counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
