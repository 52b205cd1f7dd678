"""Who may review, and in which language they are spoken to. Asked at each click."""

from typing import Any

from bot.communities import Community, read_community
from bot.store import Store


def is_moderator(interaction: Any, community: Community) -> bool:
    """Whether the member who clicked has the moderators' role or, where none is set, may manage messages.

    Whoever manages the server may as well: somebody must be able to when the role is gone.
    """
    if may_manage(interaction):
        return True
    if community.moderator_role is None:
        return bool(getattr(_rights(interaction), "manage_messages", False))
    roles = getattr(interaction.user, "roles", ())
    return any(str(role.id) == community.moderator_role for role in roles)


async def language_for(interaction: Any, store: Store) -> str:
    """Return the language of answers: the community's own, else the server's."""
    if interaction.guild_id is not None:
        community = await read_community(store, str(interaction.guild_id))
        if community.language is not None:
            return community.language
    return "fr" if str(interaction.guild_locale or interaction.locale).startswith("fr") else "en"


def may_manage(interaction: Any) -> bool:
    """Whether a member may change the server's settings."""
    rights = _rights(interaction)
    return bool(getattr(rights, "manage_guild", False) or getattr(rights, "administrator", False))


def _rights(interaction: Any) -> Any:
    """Return what a member may do in the whole server; what one channel grants is not meant for the others."""
    return getattr(interaction.user, "guild_permissions", None)
