"""One interaction, from the click to everything that was answered to it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tests.servers.discord.people import EPHEMERAL, LOADING, Message, User, shown_texts, walk
from tests.servers.discord.places import Channel
from tests.servers.discord.refusals import Json, RefusedError
from tests.servers.discord.times import PATIENCE, Changes

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
#: Kinds of answers.
REPLY, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9


@dataclass(eq=False)
class InteractionRecord:
    """What somebody did, and what came back."""

    id: int
    token: str
    kind: int
    user: User
    channel: Channel
    data: Json
    began: datetime
    changes: Changes
    #: The message whose component was used.
    source: Message | None = None
    #: The first answer as it was sent, and its kind.
    response: Json | None = None
    #: The message that `@original` means.
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    #: Answers that were refused.
    refusals: list[RefusedError] = field(default_factory=list)
    #: How many times the original was edited by the bot after the first answer.
    edits: int = 0

    @property
    def response_type(self) -> int | None:
        """The kind of the first answer: 4 message, 5 and 6 deferred, 7 update, 8 choices, 9 modal."""
        return int(self.response["type"]) if self.response is not None else None

    @property
    def response_data(self) -> Json:
        """What the first answer carries."""
        return dict((self.response or {}).get("data") or {})

    @property
    def deferred(self) -> bool:
        """Whether the first answer only asked for time."""
        return self.response_type in (DEFER, DEFER_UPDATE)

    @property
    def loading(self) -> bool:
        """Whether the person still sees that the bot is thinking."""
        return self.original is not None and bool(self.original.flags & LOADING)

    @property
    def ephemeral(self) -> bool:
        """Whether only the person who asked sees the first message that was answered."""
        shown = self._answers()
        return bool(shown[0].flags & EPHEMERAL) if shown else bool(self.response_data.get("flags", 0) & EPHEMERAL)

    @property
    def modal(self) -> Json | None:
        """The modal that was shown."""
        return self.response_data if self.response_type == MODAL else None

    @property
    def choices(self) -> list[Any]:
        """The values that autocompletion offered."""
        return [one["value"] for one in self.response_data.get("choices") or []]

    def _answers(self) -> list[Message]:
        first = [self.original] if self.original is not None and self.original is not self.source else []
        return list(dict.fromkeys([*first, *self.followups]))

    @property
    def messages(self) -> list[Message]:
        """The messages that were answered with, in order: the original (unless it is the source), follow-ups."""
        return [one for one in self._answers() if not one.deleted]

    @property
    def text(self) -> str:
        """Every text that the person was shown: messages, or the modal."""
        shown = [one.text for one in self.messages]
        return "\n".join([*shown, *shown_texts(self.modal or {})])

    @property
    def files(self) -> dict[str, bytes]:
        """The files that were answered with."""
        return {name: data for one in self.messages for name, data in one.files.items()}

    def modal_fields(self) -> list[Json]:
        """Return the fields of the modal that was shown."""
        return [one for one in walk((self.modal or {}).get("components") or []) if "custom_id" in one]

    async def answered(self, seconds: float = PATIENCE) -> "InteractionRecord":
        """Wait for the first answer, of any kind."""
        return await self._until(lambda: self.response is not None, seconds, "was not answered")

    async def settled(self, seconds: float = PATIENCE) -> "InteractionRecord":
        """Wait until the person has what they asked for: answered, and what was deferred was delivered."""
        return await self._until(self._is_settled, seconds, "was left waiting")

    def _is_settled(self) -> bool:
        if self.response_type == DEFER_UPDATE:
            return self.edits > 0 or bool(self.followups)
        return self.response is not None and not self.loading

    async def followed_up(self, count: int = 1, seconds: float = PATIENCE) -> "InteractionRecord":
        """Wait for so many follow-ups."""
        return await self._until(lambda: len(self.followups) >= count, seconds, f"had not {count} follow-ups")

    async def refused(self, seconds: float = PATIENCE) -> RefusedError:
        """Wait until an answer was refused."""
        await self._until(lambda: bool(self.refusals), seconds, "was not refused")
        return self.refusals[0]

    async def _until(self, condition: Any, seconds: float, what: str) -> "InteractionRecord":
        try:
            await self.changes.until(condition, seconds)
        except TimeoutError:
            raise TimeoutError(f"interaction of {self.user.name} {what}: {self.data} {self.refusals}") from None
        return self

    def metadata(self) -> Json:
        """Return what messages that answer it say of it."""
        owners: Json = {"0": str(self.channel.guild.id)} if self.channel.guild is not None else {}
        body: Json = {"id": str(self.id), "type": self.kind, "user": self.user.as_json()}
        return body | {"authorizing_integration_owners": owners}


#: Which kinds of answers go with which kinds of interactions.
FITTING: Final = {
    COMMAND: (REPLY, DEFER, MODAL),
    COMPONENT: (REPLY, DEFER, DEFER_UPDATE, UPDATE, MODAL),
    AUTOCOMPLETE: (CHOICES,),
    MODAL_SUBMIT: (REPLY, DEFER, DEFER_UPDATE, UPDATE),
}
