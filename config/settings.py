"""Settings of the process: a TOML file, overridden by environment variables `PITCHWATCH_…` (`__` between parts).

What concerns one community lives in the database; rooms named here appear there as read-only watches.
"""

import difflib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

#: Read when no `--config` is given and it exists in the current folder.
DEFAULT_FILE: Final = Path("pitchwatch.toml")

Sensitivity = Literal["low", "normal", "high"]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]


def _both_languages() -> list[Literal["en", "fr"]]:
    return ["en", "fr"]


class SettingsError(Exception):
    """A setting is wrong. The text is one line: the field, the value, and what is allowed."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(_Part):
    """The database."""

    path: Path = Field(Path("pitchwatch.db"), description="SQLite file with alerts, reviews and numbers of shows.")
    keep_evidence_days: int = Field(90, ge=1, le=3650, description="Quoted lines are deleted after this many days.")
    busy_seconds: float = Field(5.0, gt=0, le=120, description="How long to wait for a locked database, in seconds.")


class ModelSettings(_Part):
    """The models that read."""

    folder: Path | None = Field(None, description="Folder of the line classifier; unset: the one that ships.")
    threads: int = Field(2, ge=1, le=64, description="Processor threads for the classifier.")


class SpeechSettings(_Part):
    """How speech is heard."""

    model: str | None = Field(
        None,
        min_length=1,
        description="Folder of a CTranslate2 whisper model, or a name that faster-whisper knows; unset: whisper base.",
    )
    workers: int = Field(1, ge=1, le=32, description="Processes that hear, shared by all rooms.")
    threads: int = Field(2, ge=1, le=64, description="Processor threads of each of them.")
    waiting: int = Field(
        8,
        ge=1,
        le=256,
        description="Segments of one source that may wait; of a live source the oldest is then skipped.",
    )
    beam: int = Field(1, ge=1, le=10, description="Beam width: 1 is fastest, 5 hears a little better.")
    languages: list[Literal["en", "fr"]] = Field(
        default_factory=_both_languages, min_length=1, description="Languages that are listened for."
    )


class PolicySettings(_Part):
    """When a warning is raised. Probabilities between 0 and 1."""

    threshold_low: Probability = Field(0.95, description="Score from which sensitivity `low` alerts.")
    threshold_normal: Probability = Field(0.80, description="Score from which sensitivity `normal` alerts.")
    threshold_high: Probability = Field(0.60, description="Score from which sensitivity `high` alerts.")
    update_seconds: float = Field(
        30.0, ge=0, description="Least show time between two updates of an alert, in seconds."
    )
    alerts_per_hour: int = Field(
        12, ge=1, le=1000, description="Most new alerts per watch, show and hour; the rest is held back and counted."
    )
    prior_half_life_days: float = Field(
        90.0, gt=0, description="An earlier decision about an account counts half after this many days."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.threshold_low >= self.threshold_normal >= self.threshold_high:
            raise ValueError("sensitivity `low` must not alert before `normal`, nor that before `high`")
        return self


class LimitSettings(_Part):
    """Bounds of memory and patience."""

    restart_seconds: float = Field(
        2.0, gt=0, le=600, description="First wait before a failed room is opened again, in seconds; doubles each time."
    )
    restart_most_seconds: float = Field(300.0, gt=0, le=86_400, description="Longest such wait, in seconds.")


class WatchSettings(_Part):
    """Who wants to be warned about a room."""

    community: str = Field(
        "local", min_length=1, max_length=64, description="Whose warnings these are; `local` is the command line."
    )
    channel: str = Field(
        "console",
        pattern=r"^(console|discord:\d{1,20})$",
        description="Where warnings go: `console`, or `discord:` and the number of a channel.",
    )
    sensitivity: Sensitivity = Field("normal", description="How early to warn: low, normal or high.")
    dry_run: bool = Field(False, description="Note what would have been sent; send nothing.")
    consent: bool = Field(
        False, description="People in the room were told that it is heard; without it no voice is listened to."
    )


class JanusSettings(_Part):
    """How a room on Janus is entered."""

    pin: SecretStr | None = Field(None, description="PIN of the room and of its chat, where they have one.")
    token: SecretStr | None = Field(None, description="Token, where the server or the room lets nobody in without one.")
    api_secret: SecretStr | None = Field(None, description="The server's API secret, where it has one.")
    seats: int = Field(4, ge=1, le=64, description="Seats that are listened to.")
    chat: str | None = Field(
        None, min_length=1, max_length=100, description="Number of the chat's TextRoom; unset: the same as the room's."
    )
    display: str = Field("Pitchwatch", min_length=1, max_length=64, description="The bot's name in the room.")


class RoomSettings(_Part):
    """A room that is watched from the start."""

    kind: Literal["replay", "media", "discord", "janus"] = Field(
        description="Kind of room: `replay` plays a show script, `media` listens to a file or a stream, `discord` reads"
        " a text channel, a thread or the posts of a forum, `janus` sits in a live show with seats."
    )
    address: str = Field(
        min_length=1,
        max_length=2048,
        description="Address within the kind: the path of the script; the path or URL of the sound; the numbers of the"
        " Discord server and channel, as in 123/456; the Janus server and the room, as in wss://host:8989/janus#1234.",
    )
    speed: float | None = Field(
        None, gt=0, le=100_000, description="Files only: how many times faster than life; unset: as fast as it can."
    )
    host: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Media: the name of whoever speaks there. Janus: the name of the show's host, if it is known.",
    )
    lang: Literal["en", "fr"] | None = Field(
        None, description="Media and Janus: the one language spoken there; unset: heard for each segment."
    )
    janus: JanusSettings = Field(
        default_factory=lambda: JanusSettings.model_validate({}), description="Janus only: how it is entered."
    )
    watches: list[WatchSettings] = Field(
        default_factory=lambda: [WatchSettings.model_validate({})],
        min_length=1,
        max_length=32,
        description="Who is warned about it.",
    )

    @model_validator(mode="after")
    def _one_watch_per_community(self) -> Self:
        communities = [watch.community for watch in self.watches]
        if len(set(communities)) < len(communities):
            raise ValueError(f"{self.address}: a community may watch a room once")
        return self


class CommunitySettings(_Part):
    """A Discord server whose settings stand in the file."""

    guild: int = Field(gt=0, description="Number of the server.")
    moderator_role: int | None = Field(
        None, gt=0, description="Role that reviews warnings; unset: whoever may manage messages."
    )
    ping_role: int | None = Field(None, gt=0, description="Role that is pinged by very sure warnings; unset: nobody.")
    ping_from: Probability = Field(0.95, description="Score from which that role is pinged.")
    language: Literal["en", "fr"] | None = Field(None, description="Language of warnings; unset: the server's own.")
    exempt: list[int] = Field(
        default_factory=list, max_length=500, description="Members of whom nothing is ever said, by their numbers."
    )


class StreamSettings(_Part):
    """What communities may add by themselves."""

    hosts: list[str] = Field(
        default_factory=list,
        max_length=1000,
        description="Hosts from which communities may take streams, with all below them, as in `example.org`.",
    )
    per_community: int = Field(10, ge=0, le=1000, description="Watches that one community may add.")


class DiscordSettings(_Part):
    """The Discord account of the bot, and the server it speaks to."""

    token: SecretStr | None = Field(None, description="Bot token; better given as PITCHWATCH_DISCORD__TOKEN.")
    api_base: str = Field(
        "https://discord.com/api/v10", pattern=r"^https?://\S+$", description="Where Discord's REST API is."
    )
    gateway: str = Field(
        "wss://gateway.discord.gg/", pattern=r"^wss?://\S+$", description="Where Discord's gateway is."
    )
    cdn: str = Field("https://cdn.discordapp.com", pattern=r"^https?://\S+$", description="Where Discord's files are.")
    ready_seconds: float = Field(
        2.0, gt=0, le=60, description="How long to wait at a start for the next of the bot's servers to be told of."
    )
    send_seconds: float = Field(30.0, gt=0, le=600, description="Longest time that one message may take, in seconds.")
    communities: list[CommunitySettings] = Field(
        default_factory=list, max_length=1000, description="Servers whose settings stand in this file."
    )


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(env_prefix="PITCHWATCH_", env_nested_delimiter="__", extra="forbid", frozen=True)

    language: Literal["en", "fr"] = Field("en", description="Language of the words on the command line: en or fr.")
    store: StoreSettings = Field(default_factory=lambda: StoreSettings.model_validate({}), description="The database.")
    models: ModelSettings = Field(
        default_factory=lambda: ModelSettings.model_validate({}), description="The models that read."
    )
    speech: SpeechSettings = Field(
        default_factory=lambda: SpeechSettings.model_validate({}), description="How speech is heard."
    )
    policy: PolicySettings = Field(
        default_factory=lambda: PolicySettings.model_validate({}), description="When to warn."
    )
    limits: LimitSettings = Field(default_factory=lambda: LimitSettings.model_validate({}), description="Bounds.")
    streams: StreamSettings = Field(
        default_factory=lambda: StreamSettings.model_validate({}), description="What communities may add by themselves."
    )
    discord: DiscordSettings = Field(
        default_factory=lambda: DiscordSettings.model_validate({}), description="The bot's Discord account."
    )
    rooms: list[RoomSettings] = Field(
        default_factory=list, max_length=1000, description="Rooms that are watched from the start."
    )

    @model_validator(mode="after")
    def _each_room_once(self) -> Self:
        rooms = [(room.kind, room.address) for room in self.rooms]
        if len(set(rooms)) < len(rooms):
            raise ValueError("the same room is listed twice")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file that `load_settings` hands in."""
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read settings from `path` (or `pitchwatch.toml` here, if there is one) and the environment.

    Raises:
        SettingsError: the file cannot be read, or a value is not allowed. One line says which and what is.
    """
    file = path or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = TomlConfigSettingsSource(Settings, file).toml_data if file.is_file() else _missing(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: not valid TOML: {error}") from error
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    for variable in os.environ:
        part = variable.removeprefix("PITCHWATCH_").split("__")[0].lower()
        if variable.startswith("PITCHWATCH_") and part not in Settings.model_fields:
            raise SettingsError(f"environment: {variable}: there is no such setting{_nearest((part,))}")
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_one_line(error, file)) from error
    except ValueError as error:  # an environment variable that holds no JSON where a list is needed
        raise SettingsError(f"environment: {' '.join(str(error).split())}") from error


def _missing(file: Path) -> dict[str, Any]:
    raise SettingsError(f"{file}: there is no such file; name an existing one with --config")


def _one_line(error: ValidationError, file: Path | None) -> str:
    first, *rest = error.errors(include_url=False)
    place = ".".join(str(part) for part in first["loc"])
    variable = "PITCHWATCH_" + "__".join(str(part) for part in first["loc"]).upper()
    origin = "environment" if variable in os.environ or file is None else str(file)
    more = f" (and {len(rest)} more)" if rest else ""
    if first["type"] == "extra_forbidden":
        return f"{origin}: {place}: there is no such setting{_nearest(first['loc'])}{more}"
    value = "•••" if place.startswith("discord") or ".janus." in place else repr(first["input"])
    allowed = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] in ("model_type", "model_attributes_type", "dict_type"):
        allowed = f"must be a table: [{place}]"
    if first["type"] == "value_error":
        return f"{origin}: {place or 'rooms'}: {first['ctx']['error']}{more}"
    return f"{origin}: {place} = {value}: {allowed}{more}"


def _nearest(location: tuple[int | str, ...]) -> str:
    names = {name for model in _models() for name in model.model_fields}
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _models() -> tuple[type[BaseModel], ...]:
    return (
        Settings,
        StoreSettings,
        ModelSettings,
        SpeechSettings,
        PolicySettings,
        LimitSettings,
        WatchSettings,
        JanusSettings,
        RoomSettings,
        DiscordSettings,
    )
