"""What Discord refuses of components, in messages and in modals."""

from collections.abc import Callable
from typing import Any, Final

from tests.servers.discord.people import walk
from tests.servers.discord.refusals import Json, check_length, invalid

ROW, BUTTON, SELECT, TEXT_INPUT, SECTION, TEXT, THUMBNAIL, GALLERY, FILE = 1, 2, 3, 4, 9, 10, 11, 12, 13
SEPARATOR, CONTAINER, LABEL, UPLOAD, RADIOS, CHECKBOXES, CHECKBOX = 14, 17, 18, 19, 21, 22, 23
SELECTS: Final = (3, 5, 6, 7, 8)
#: What may stand at the top of a message with the flag, within a container, and within a label of a modal.
TOP: Final = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR, CONTAINER)
IN_CONTAINER: Final = (ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR)
IN_LABEL: Final = (*SELECTS, TEXT_INPUT, UPLOAD, RADIOS, CHECKBOXES, CHECKBOX)
MOST_COMPONENTS: Final = 40
MOST_TEXT: Final = 4000


def check_message(components: list[Json], v2: bool, file_names: set[str]) -> None:
    """Refuse what Discord refuses of a message's components."""
    if not v2 and len(components) > 5:
        raise invalid("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for index, one in enumerate(components):
        _check(one, f"components.{index}", TOP if v2 else (ROW,), file_names)
    every = walk(components)
    if v2 and len(every) > MOST_COMPONENTS:
        raise invalid(
            "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The maximum number of components is 40."
        )
    texts = sum(len(one["content"]) for one in every if one["type"] == TEXT)
    if texts > MOST_TEXT:
        message = "The maximum total length of displayable text is 4000."
        raise invalid("components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", message)
    _check_unique(every)


def check_modal(data: Json) -> None:
    """Refuse what Discord refuses of a modal."""
    check_length("data.title", data.get("title", ""), 45, 1)
    check_length("data.custom_id", data.get("custom_id", ""), 100, 1)
    components = data.get("components") or []
    if not 1 <= len(components) <= 5:
        raise invalid("data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
    for index, one in enumerate(components):
        _check(one, f"data.components.{index}", (LABEL, ROW, TEXT), set(), modal=True)
    _check_unique(walk(components))


def number(components: list[Json]) -> list[Json]:
    """Return the components as Discord keeps them: each with an id of its own."""
    every = walk(components)
    taken = {one["id"] for one in every if one.get("id")}
    free = (one for one in range(1, 10_000) if one not in taken)
    for one in every:
        one["id"] = one.get("id") or next(free)
    return components


def _check_unique(components: list[Json]) -> None:
    custom = [one["custom_id"] for one in components if one.get("custom_id")]
    if len(custom) != len(set(custom)):
        message = "Component custom id cannot be duplicated"
        raise invalid("components", "COMPONENT_CUSTOM_ID_DUPLICATED", message)
    ids = [one["id"] for one in components if one.get("id")]
    if len(ids) != len(set(ids)):
        raise invalid("components", "COMPONENT_ID_DUPLICATED", "Component id cannot be duplicated")


def _check(one: Json, path: str, allowed: tuple[int, ...], files: set[str], modal: bool = False) -> None:
    kind = one.get("type")
    if kind not in allowed:
        raise invalid(f"{path}.type", "BASE_TYPE_CHOICES", f"Value must be one of {set(allowed)}.")
    if kind in (BUTTON, *SELECTS, TEXT_INPUT, UPLOAD, RADIOS, CHECKBOXES, CHECKBOX) and not _is_link(one):
        check_length(f"{path}.custom_id", str(one.get("custom_id") or ""), 100, 1)
    checker = _CHECKERS.get(int(kind or 0))
    if checker is not None:
        checker(one, path, files)
    if kind == ROW:
        _row(one, path, files, modal)


def _is_link(one: Json) -> bool:
    return one["type"] == BUTTON and one.get("style") in (5, 6)


def _row(one: Json, path: str, files: set[str], modal: bool) -> None:
    children = one.get("components") or []
    wide = any(child.get("type") != BUTTON for child in children)
    most = 1 if wide else 5
    if not 1 <= len(children) <= most:
        raise invalid(f"{path}.components", "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
    for index, child in enumerate(children):
        inside = (TEXT_INPUT, *SELECTS) if modal else (BUTTON, *SELECTS)
        _check(child, f"{path}.components.{index}", inside, files, modal)


def _button(one: Json, path: str, _: set[str]) -> None:
    check_length(f"{path}.label", one.get("label") or "", 80)
    style = one.get("style")
    if style not in range(1, 7):
        raise invalid(f"{path}.style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5, 6}.")
    if style == 5 and (not one.get("url") or one.get("custom_id")):
        raise invalid(path, "BUTTON_COMPONENT_INVALID_URL", "A link button needs a url and no custom id")
    if style == 5:
        _url(one["url"], f"{path}.url", set(), ("http://", "https://", "discord://"))
    if style != 6 and not one.get("label") and not one.get("emoji"):
        raise invalid(path, "BUTTON_COMPONENT_MISSING_LABEL", "Must have a label or an emoji")


def _select(one: Json, path: str, _: set[str]) -> None:
    check_length(f"{path}.placeholder", one.get("placeholder") or "", 150)
    least, most = one.get("min_values", 1), one.get("max_values", 1)
    if not (0 <= (1 if least is None else least) <= 25 and 1 <= (1 if most is None else most) <= 25):
        raise invalid(path, "NUMBER_TYPE_MAX", "int value should be less than or equal to 25.")
    if one["type"] == SELECT:
        _choices(one, path, 25)


def _choices(one: Json, path: str, most: int) -> None:
    options = one.get("options") or []
    if not 1 <= len(options) <= most:
        raise invalid(f"{path}.options", "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
    for index, option in enumerate(options):
        check_length(f"{path}.options.{index}.label", option.get("label", ""), 100, 1)
        check_length(f"{path}.options.{index}.value", option.get("value", ""), 100, 1)
        check_length(f"{path}.options.{index}.description", option.get("description") or "", 100)
    if len({option["value"] for option in options}) != len(options):
        raise invalid(
            f"{path}.options", "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified value is already used"
        )


def _group(one: Json, path: str, _: set[str]) -> None:
    _choices(one, path, 10)


def _text(one: Json, path: str, _: set[str]) -> None:
    check_length(f"{path}.content", one.get("content") or "", MOST_TEXT, 1)


def _text_input(one: Json, path: str, _: set[str]) -> None:
    check_length(f"{path}.label", one.get("label") or "", 45)
    check_length(f"{path}.placeholder", one.get("placeholder") or "", 100)
    check_length(f"{path}.value", one.get("value") or "", int(one.get("max_length") or 4000))


def _section(one: Json, path: str, files: set[str]) -> None:
    children = one.get("components") or []
    if not 1 <= len(children) <= 3:
        raise invalid(f"{path}.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 3 in length.")
    for index, child in enumerate(children):
        _check(child, f"{path}.components.{index}", (TEXT,), files)
    if not one.get("accessory"):
        raise invalid(f"{path}.accessory", "BASE_TYPE_REQUIRED", "This field is required")
    _check(one["accessory"], f"{path}.accessory", (BUTTON, THUMBNAIL), files)


def _container(one: Json, path: str, files: set[str]) -> None:
    children = one.get("components") or []
    if not children:
        raise invalid(f"{path}.components", "BASE_TYPE_BAD_LENGTH", "Must be at least 1 in length.")
    for index, child in enumerate(children):
        _check(child, f"{path}.components.{index}", IN_CONTAINER, files)


def _gallery(one: Json, path: str, files: set[str]) -> None:
    items = one.get("items") or []
    if not 1 <= len(items) <= 10:
        raise invalid(f"{path}.items", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 10 in length.")
    for index, item in enumerate(items):
        check_length(f"{path}.items.{index}.description", item.get("description") or "", 1024)
        _url(item["media"]["url"], f"{path}.items.{index}.media.url", files)


def _thumbnail(one: Json, path: str, files: set[str]) -> None:
    check_length(f"{path}.description", one.get("description") or "", 1024)
    _url(one["media"]["url"], f"{path}.media.url", files)


def _file(one: Json, path: str, files: set[str]) -> None:
    _url(one["file"]["url"], f"{path}.file.url", files, ("attachment://",))


def _label(one: Json, path: str, files: set[str]) -> None:
    check_length(f"{path}.label", one.get("label") or "", 45, 1)
    check_length(f"{path}.description", one.get("description") or "", 100)
    _check(one.get("component") or {}, f"{path}.component", IN_LABEL, files, modal=True)


def _url(
    url: Any, path: str, files: set[str], schemes: tuple[str, ...] = ("http://", "https://", "attachment://")
) -> None:
    if not str(url).startswith(schemes):
        raise invalid(path, "URL_TYPE_INVALID_SCHEME", f"Scheme must be one of {schemes}.")
    if str(url).startswith("attachment://") and str(url).removeprefix("attachment://") not in files:
        message = "The referenced attachment is not part of the message"
        raise invalid(path, "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", message)


_CHECKERS: Final[dict[int, Callable[[Json, str, set[str]], None]]] = {
    BUTTON: _button,
    **dict.fromkeys(SELECTS, _select),
    TEXT_INPUT: _text_input,
    SECTION: _section,
    TEXT: _text,
    THUMBNAIL: _thumbnail,
    GALLERY: _gallery,
    FILE: _file,
    CONTAINER: _container,
    LABEL: _label,
    RADIOS: _group,
    CHECKBOXES: _group,
}
