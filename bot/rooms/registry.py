"""The registry of rooms: which file opens which kind. To add a kind, add one line to each table here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.rooms import Resume, Room, RoomError
from bot.rooms.discord_hub import Hub
from bot.rooms.discord_text import DiscordTextRoom, check_discord_address
from bot.rooms.janus import JanusOptions, JanusRoom, check_janus, room_number
from bot.rooms.media import MediaOptions, MediaRoom, check_media
from bot.rooms.replay import ReplayRoom, check_header
from bot.speech.hearing import Hearing
from config.settings import RoomSettings
from config.wording import LANGUAGES, say
from detectors.records import Message


@dataclass(frozen=True, slots=True)
class Sources:
    """What rooms get their events from: the recogniser, and the connection to Discord where there is one."""

    hearing: Hearing
    discord: Hub | None = None
    resume: Resume | None = None


ROOMS: Final[Mapping[str, Callable[[RoomSettings, Sources], Room]]] = {
    "replay": lambda room, sources: ReplayRoom(
        Path(room.address), room.speed, sources.hearing if _may_hear(room) else None
    ),
    "media": lambda room, sources: MediaRoom(
        room.address, sources.hearing, MediaOptions(room.host, room.lang, room.speed)
    ),
    "janus": lambda room, sources: JanusRoom(
        room.address, sources.hearing if _may_hear(room) else None, _janus(room), sources.resume
    ),
    "discord": lambda room, sources: DiscordTextRoom(room.address, _hub(room, sources), sources.resume),
}

#: What can be said of an address before the room is opened: each raises RoomError when it is wrong.
CHECKS: Final[Mapping[str, Callable[[RoomSettings], None]]] = {
    "replay": lambda room: check_header(Path(room.address)),
    "media": lambda room: _check_media(room),
    "janus": lambda room: check_janus(room.address),
    "discord": lambda room: check_discord_address(room.address),
}


def check_address(room: RoomSettings) -> None:
    """Raise RoomError when the address of a room cannot be right, or when it may not be listened to."""
    CHECKS[room.kind](room)


def open_room(room: RoomSettings, sources: Sources) -> Room:
    """Return the room that a setting names; it is not opened before its events are asked for."""
    return ROOMS[room.kind](room, sources)


def _hub(room: RoomSettings, sources: Sources) -> Hub:
    if sources.discord is None:
        why = f"{room.address}: needs Discord: set PITCHWATCH_DISCORD__TOKEN to the bot's token"
        raise RoomError(why, Message("reason.no_discord"))
    return sources.discord


def _may_hear(room: RoomSettings) -> bool:
    """Whether everybody who watches the room says that people in it were told that it is heard."""
    return bool(room.watches) and all(watch.consent for watch in room.watches)


def _janus(room: RoomSettings) -> JanusOptions:
    """What is known of a room on Janus; where its language is not, the announcement is made in each."""
    settings = room.janus
    languages = (room.lang,) if room.lang else LANGUAGES
    secrets = (settings.pin, settings.token, settings.api_secret)
    pin, token, api_secret = (None if secret is None else secret.get_secret_value() for secret in secrets)
    return JanusOptions(
        display=settings.display,
        announcement="\n".join(say(one, "janus.announcement", name=settings.display) for one in languages),
        seats=settings.seats,
        pin=pin,
        token=token,
        api_secret=api_secret,
        chat=settings.chat and room_number(settings.chat),
        host=room.host,
        lang=room.lang,
    )


def _check_media(room: RoomSettings) -> None:
    if not _may_hear(room):
        raise RoomError(
            f"{room.address}: no voice is heard before people were told; then set consent = true in each watch",
            Message("reason.consent"),
        )
    check_media(room.address)
