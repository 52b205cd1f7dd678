"""From a layout, which is data, to what discord.py sends."""

from collections.abc import Mapping
from io import BytesIO

import discord
from discord import ui

from bot.messages import Attached, Button, Layout, Menu, Part, Picture, Row, Rule, Words

_STYLES = {
    "primary": discord.ButtonStyle.primary,
    "secondary": discord.ButtonStyle.secondary,
    "success": discord.ButtonStyle.success,
    "danger": discord.ButtonStyle.danger,
}


def as_view(layout: Layout) -> ui.LayoutView:
    """Return the layout as a view that never times out; its buttons are found by their ids, also after a restart."""
    view = ui.LayoutView(timeout=None)
    if layout.ping_role is not None:
        view.add_item(ui.TextDisplay(f"<@&{layout.ping_role}>"))
    container: ui.Container[ui.LayoutView] = ui.Container(accent_colour=discord.Colour(layout.accent))
    for part in layout.parts:
        container.add_item(_item(part))
    view.add_item(container)
    return view


def _item(part: Part) -> ui.Item[ui.LayoutView]:
    if isinstance(part, Words):
        return ui.TextDisplay(part.text)
    if isinstance(part, Picture):
        gallery: ui.MediaGallery[ui.LayoutView] = ui.MediaGallery()
        return gallery.add_item(media=f"attachment://{part.name}", description=part.alt)
    if isinstance(part, Attached):
        return ui.File(f"attachment://{part.name}")
    if isinstance(part, Rule):
        return ui.Separator()
    return _row(part)


def _row(row: Row) -> ui.ActionRow[ui.LayoutView]:
    actions: ui.ActionRow[ui.LayoutView] = ui.ActionRow()
    for item in row.items:
        actions.add_item(_control(item))
    return actions


def _control(item: Button | Menu) -> ui.Item[ui.LayoutView]:
    if isinstance(item, Button):
        return ui.Button(custom_id=item.custom_id, label=item.label, style=_STYLES[item.style], disabled=item.disabled)
    options = [discord.SelectOption(label=choice.label, value=choice.value) for choice in item.choices]
    return ui.Select(custom_id=item.custom_id, placeholder=item.placeholder, options=options)


def as_files(pictures: Mapping[str, bytes]) -> list[discord.File]:
    """Return pictures, by name, as files to attach."""
    return [discord.File(BytesIO(data), filename=name) for name, data in pictures.items()]


def mentions(layout: Layout) -> discord.AllowedMentions:
    """Return who may be pinged by the layout: the role that it names, and nobody else, whatever its words say."""
    roles = [discord.Object(int(layout.ping_role))] if layout.ping_role is not None else False
    return discord.AllowedMentions(everyone=False, users=False, roles=roles, replied_user=False)
