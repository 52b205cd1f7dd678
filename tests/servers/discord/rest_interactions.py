"""The routes that answer interactions: the callback within three seconds, then follow-ups for a quarter of an hour."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.servers.discord import component_rules
from tests.servers.discord.api import ROUTES, Answer, Call, Handler
from tests.servers.discord.interactions import (
    CHOICES,
    COMMAND,
    COMPONENT,
    DEFER,
    DEFER_UPDATE,
    FITTING,
    MODAL,
    REPLY,
    UPDATE,
    InteractionRecord,
)
from tests.servers.discord.people import EPHEMERAL, LOADING, Message
from tests.servers.discord.refusals import Json, RefusedError, check_length, invalid, refused
from tests.servers.discord.writing import draft_in, rewrite, write

ANSWER_WITHIN = timedelta(seconds=3)
TOKEN_LIVES = timedelta(minutes=15)


@ROUTES.add("POST", "/interactions/{interaction}/{token:x}/callback")
def callback(call: Call) -> Any:
    record = call.server.interactions.get(call.ids["token"])
    if record is None or record.id != int(call.ids["interaction"]):
        raise refused(10062)
    try:
        answered = _answer(call, record)
    except RefusedError as error:
        record.refusals.append(error)
        raise
    finally:
        call.world.changes.notify()
    return answered


def _answer(call: Call, record: InteractionRecord) -> Any:
    if record.response is not None:
        raise refused(40060)
    if call.world.clock.now() - record.began > ANSWER_WITHIN:
        raise refused(10062)
    kind, data = call.body.get("type"), call.body.get("data") or {}
    fitting = FITTING[record.kind]
    without_source = record.source is None and kind in (DEFER_UPDATE, UPDATE)
    if kind not in fitting or without_source:
        raise invalid("type", "BASE_TYPE_CHOICES", f"Value must be one of {set(fitting)}.")
    _perform(call, record, int(kind), data)
    record.response = {**call.body, "data": data}
    if call.request.query.get("with_response") not in ("1", "true"):
        return None
    return _with_response(call, record, int(kind))


def _perform(call: Call, record: InteractionRecord, kind: int, data: Json) -> None:
    if kind == REPLY:
        message = _new(record, int(data.get("flags") or 0) & EPHEMERAL)
        write(message, call.draft(data))
        record.original = message
        _show(call, message)
    elif kind == DEFER:
        record.original = _new(record, int(data.get("flags") or 0) & EPHEMERAL | LOADING)
        _show(call, record.original)
    elif kind == MODAL:
        component_rules.check_modal(data)
    elif kind == CHOICES:
        _check_choices(data)
    else:
        assert record.source is not None
        record.original = record.source
        if kind == UPDATE:
            rewrite(record.source, call.draft(data))
            _tell(call, record.source)


def _check_choices(data: Json) -> None:
    choices = data.get("choices") or []
    if len(choices) > 25:
        raise invalid("data.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    for index, one in enumerate(choices):
        check_length(f"data.choices.{index}.name", str(one.get("name") or ""), 100, 1)
        check_length(f"data.choices.{index}.value", str(one.get("value")), 100, 1)


def _with_response(call: Call, record: InteractionRecord, kind: int) -> Json:
    body: Json = {"interaction": {"id": str(record.id), "type": record.kind}, "resource": {"type": kind}}
    if record.original is not None:
        message = record.original
        body["interaction"] |= {
            "response_message_id": str(message.id),
            "response_message_loading": record.loading,
            "response_message_ephemeral": bool(message.flags & EPHEMERAL),
        }
        if kind in (REPLY, UPDATE):
            body["resource"]["message"] = call.shown(message)
    return body


def _new(record: InteractionRecord, flags: int) -> Message:
    message = draft_in(record.channel, flags, webhook_id=record.channel.world.bot.id, interaction=record.metadata())
    if record.kind == COMMAND:
        message.kind = 20 if record.data.get("type", 1) == 1 else 23
    elif record.kind == COMPONENT and record.source is not None:
        message.kind, message.replied_to = 19, record.source
    return message


def _show(call: Call, message: Message) -> None:
    if message.flags & EPHEMERAL:
        call.server.ephemeral[message.id] = message
    else:
        call.world.add(message)


def _tell(call: Call, message: Message) -> None:
    if message.flags & EPHEMERAL:
        message.edits, message.edited = message.edits + 1, call.world.clock.now()
        call.world.changes.notify()
    else:
        call.world.edited(message)


# ---- afterwards


def _record(call: Call) -> InteractionRecord:
    record = call.server.interactions.get(call.ids["token"])
    if record is None or call.world.clock.now() - record.began > TOKEN_LIVES:
        raise refused(50027)
    if record.response is None or int(call.ids["app"]) != call.bot.id:
        raise refused(10015)
    return record


def _noted(handler: Callable[[Call, InteractionRecord], Any]) -> Handler:
    """Have a refusal after the first answer show in the interaction's record."""

    def run(call: Call) -> Any:
        record = _record(call)
        try:
            return handler(call, record)
        except RefusedError as error:
            record.refusals.append(error)
            raise
        finally:
            call.world.changes.notify()

    return run


def _message(record: InteractionRecord, name: str) -> Message:
    if name == "@original":
        found = record.original
    else:
        found = next((one for one in record.messages if str(one.id) == name), None)
    if found is None or found.deleted:
        raise refused(10008)
    return found


@ROUTES.add("POST", "/webhooks/{app}/{token:x}")
@_noted
def follow_up(call: Call, record: InteractionRecord) -> Any:
    if record.loading and record.original is not None:  # the first follow-up takes the place of "thinking"
        _fill(call, record, record.original)
        message = record.original
        record.followups.append(message)
    else:
        message = _new(record, int(call.body.get("flags") or 0) & EPHEMERAL)
        message.kind = 0 if message.kind == 20 else message.kind
        write(message, call.draft())
        record.followups.append(message)
        _show(call, message)
    return call.shown(message)


def _fill(call: Call, record: InteractionRecord, message: Message) -> None:
    body = {key: value for key, value in call.body.items() if key != "flags"}
    body["flags"] = message.flags | int(call.body.get("flags") or 0) & ~EPHEMERAL
    rewrite(message, call.draft(body))
    message.flags &= ~LOADING
    record.edits += 1
    _tell(call, message)


@ROUTES.add("GET", "/webhooks/{app}/{token:x}/messages/{name:x}")
@_noted
def read(call: Call, record: InteractionRecord) -> Any:
    return call.shown(_message(record, call.ids["name"]))


@ROUTES.add("PATCH", "/webhooks/{app}/{token:x}/messages/{name:x}")
@_noted
def edit(call: Call, record: InteractionRecord) -> Any:
    message = _message(record, call.ids["name"])
    _fill(call, record, message)
    return call.shown(message)


@ROUTES.add("DELETE", "/webhooks/{app}/{token:x}/messages/{name:x}")
@_noted
def delete(call: Call, record: InteractionRecord) -> Any:
    message = _message(record, call.ids["name"])
    if message.flags & EPHEMERAL:
        message.deleted = True
        call.server.ephemeral.pop(message.id, None)
        call.world.changes.notify()
    else:
        call.server.forget(message)
    return Answer(204)
