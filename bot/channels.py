"""What the bot may do in a channel of Discord, as far as Discord has told it."""

from typing import Any


def reads_past(client: Any, number: int) -> bool:
    """Whether the bot may read what was written in a channel before.

    Without that right Discord shows an empty channel, and does not say that there is more. Of a channel that is not
    known here, Discord itself says whether it may be read.
    """
    channel = client.get_channel(number)
    place = getattr(channel, "parent", channel)  # a thread has the rights of the channel above it
    guild = getattr(place, "guild", None)
    return guild is None or guild.me is None or bool(place.permissions_for(guild.me).read_message_history)
