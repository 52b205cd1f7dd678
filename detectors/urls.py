"""Links in a text: which they are, whether they hide where they lead, whether the text is nothing else."""

import re
from collections.abc import Iterable
from typing import Final

#: Links are looked for in this many characters of a text.
MOST_CHARS: Final = 1_000
# Every repeat is bounded and a match starts only behind something that is no part of a link, so that no text can
# make the search slow.
_LINK: Final = re.compile(
    r"(?<![\w.-])(?:https?://|www\.)?((?:\w[\w-]{0,62}\.){1,5}[a-z]{2,24}(?:/[^\s]{0,200})?)(?![\w-])", re.IGNORECASE
)
_SCHEME: Final = re.compile(r"https?://|www\.")
_LETTER: Final = re.compile(r"[^\W_]")
#: Services whose links hide where they lead. Those that a platform puts in by itself (t.co, lnkd.in) say nothing.
_SHORTENERS: Final = frozenset(
    {
        *("bit.ly", "bitly.com", "tinyurl.com", "is.gd", "v.gd", "goo.gl", "ow.ly", "rb.gy", "cutt.ly", "rebrand.ly"),
        *("shorturl.at", "t.ly", "tiny.cc", "tiny.one", "lc.cx", "urlr.me", "urlz.fr", "vu.fr", "s.id", "bl.ink"),
        *("dub.sh", "clck.ru", "gg.gg", "soo.gd", "short.io", "u.nu"),
    }
)
#: Hosts of moving pictures: a line that is nothing but one of these is a smile.
_PICTURES: Final = ("tenor.com", "giphy.com", "klipy.com", "imgur.com", "discordapp.com", "discordapp.net")
#: Ends of a name that make a link of two words with a dot between; others need a path: blanks are often left out.
_ENDINGS: Final = frozenset(
    {
        *("com", "net", "org", "io", "co", "fr", "ca", "ch", "eu", "uk", "ly", "gg", "tv", "ai", "app", "shop"),
        *("store", "link", "bio", "club", "xyz", "info", "online", "site", "page", "dev", "example"),
    }
)


def find_links(text: str) -> set[str]:
    """Return all that may be a link in a text, without scheme, in small letters."""
    return {found.lower().rstrip("/.,)") for found in _LINK.findall(text[:MOST_CHARS])}


def sure_links(text: str) -> list[str]:
    """Return the links in a text that are no slips of the keyboard ("ok.thanks"), in order of letters."""
    return sorted(link for link in find_links(text) if "/" in link or link.rsplit(".", 1)[-1] in _ENDINGS)


def host(link: str) -> str:
    """Return the name of a link's host."""
    return link.split("/", 1)[0]


def is_shortened(link: str) -> bool:
    """Whether a link hides where it leads."""
    return host(link) in _SHORTENERS


def is_bare(text: str, links: Iterable[str]) -> bool:
    """Whether a text is nothing but `links`, none of them a moving picture."""
    rest = text.lower()
    for link in sorted(links, key=len, reverse=True):
        if host(link).endswith(_PICTURES):
            return False
        rest = rest.replace(link, " ")
    return not _LETTER.search(_SCHEME.sub(" ", rest))
