"""Read what Discord was sent back into a layout, so that a picture shows the very message that went out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bot.messages import Attached, Button, Choice, Layout, Menu, Part, Picture, Row, Rule, Style, Words

#: Numbers of Discord's components.
ACTION_ROW: Final = 1
BUTTON: Final = 2
SELECT: Final = 3
TEXT: Final = 10
GALLERY: Final = 12
FILE: Final = 13
SEPARATOR: Final = 14
CONTAINER: Final = 17

_STYLES: Final[Mapping[int, Style]] = {1: "primary", 2: "secondary", 3: "success", 4: "danger"}


class UnknownComponentError(Exception):
    """The message holds something that cannot be drawn: to be taught here, not passed over."""


def read_layout(components: Sequence[Mapping[str, Any]]) -> Layout:
    """Return the message that these components make. Raises UnknownComponentError."""
    *before, container = components
    if container["type"] != CONTAINER or any(one["type"] != TEXT for one in before):
        raise UnknownComponentError(f"a message of {[one['type'] for one in components]}")
    ping = next((one["content"].removeprefix("<@&").removesuffix(">") for one in before), None)
    parts = tuple(part for one in container["components"] for part in _parts(one))
    return Layout(container.get("accent_color") or 0, parts, ping)


def _parts(one: Mapping[str, Any]) -> Iterator[Part]:
    if one["type"] == TEXT:
        yield Words(one["content"])
    elif one["type"] == SEPARATOR:
        yield Rule()
    elif one["type"] == GALLERY:
        for item in one["items"]:
            yield Picture(item["media"]["url"].rpartition("/")[2], item.get("description") or "")
    elif one["type"] == FILE:
        yield Attached(one["file"]["url"].rpartition("/")[2])
    elif one["type"] == ACTION_ROW:
        yield Row(tuple(_control(control) for control in one["components"]))
    else:
        raise UnknownComponentError(f"component of type {one['type']}")


def _control(one: Mapping[str, Any]) -> Button | Menu:
    if one["type"] == BUTTON:
        return Button(one["custom_id"], one["label"], _STYLES[one["style"]], one.get("disabled", False))
    if one["type"] == SELECT:
        choices = tuple(Choice(option["value"], option["label"]) for option in one["options"])
        return Menu(one["custom_id"], one.get("placeholder") or "", choices)
    raise UnknownComponentError(f"control of type {one['type']}")
