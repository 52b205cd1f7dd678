"""How effects become rows. Pure: takes effects, returns column values."""

import json
from collections.abc import Iterable
from typing import Any

from bot.effects import AlertBody, Record, ShowProgress
from detectors.records import Person


def account_row(person: Person, now: str) -> dict[str, Any]:
    """Return the row of an account seen `now` (ISO time)."""
    account = person.account
    return {
        "id": str(account),
        "platform": account.platform,
        "server": account.server,
        "name": person.name,
        "first_seen": now,
        "last_seen": now,
    }


def alert_row(body: AlertBody, held_back: bool, now: str) -> dict[str, Any]:
    """Return the row of a new alert."""
    return {
        "id": body.id,
        "community": body.community,
        "room": str(body.room),
        "show": body.show,
        "account": str(body.person.account),
        "name": body.person.name,
        "episode": body.episode,
        "presenter": str(body.presenter.account) if body.presenter else None,
        "since": body.since,
        "at": body.at,
        "status": "open",
        "running": 1,
        "held_back": int(held_back),
        "version": 1,
        "raised": now,
        "channel": channel_of(body),
        **changing_columns(body),
    }


def channel_of(body: AlertBody) -> str:
    """Return the channel under which a warning is counted; dry runs take nothing from what people are sent."""
    return f"dry_run:{body.channel}" if body.dry_run else body.channel


def changing_columns(body: AlertBody) -> dict[str, Any]:
    """Return the columns of an alert that an update changes."""
    return {
        "last_at": body.at,
        "score": body.score,
        "offers": json.dumps(body.offers),
        "cues": json.dumps(body.cues),
        "reasons": json.dumps([[reason.key, dict(reason.params)] for reason in body.reasons]),
    }


def evidence_rows(body: AlertBody, version: int, now: str) -> Iterable[dict[str, Any]]:
    """Yield a row per quote of an alert."""
    for quote in body.evidence:
        yield {
            "alert": body.id,
            "event_id": quote.event_id,
            "version": version,
            "at": quote.at,
            "until": quote.until,
            "who": quote.person.name,
            "kind": quote.kind,
            "text": quote.text,
            "pitch": quote.pitch,
            "seat": quote.seat,
            "noted": now,
        }


def observation_row(record: Record, now: str) -> dict[str, Any]:
    """Return the row of an observation."""
    return {
        "community": record.community,
        "room": str(record.room),
        "show": record.show,
        "detector": record.detector,
        "account": str(record.person.account),
        "event_id": record.event_id,
        "at": record.at,
        "score": record.score,
        "key": record.message.key,
        "params": json.dumps(dict(record.message.params), ensure_ascii=False),
        "quote": record.quote,
        "noted": now,
    }


def show_row(progress: ShowProgress, now: str) -> dict[str, Any]:
    """Return the row of a show as it stands."""
    info = progress.info
    return {
        "id": info.id,
        "room": str(info.room),
        "title": info.title,
        "host": str(info.host.account) if info.host else None,
        "host_name": info.host.name if info.host else "",
        "started": info.started.isoformat() if info.started else now,
        "updated": now,
        "seconds": round(progress.at, 3),
        "events": progress.events,
        "unread": progress.unread,
        "dropped": progress.dropped,
        "lost_seconds": round(progress.lost_seconds, 3),
        "ended": int(progress.ended),
        "phases": json.dumps([[span.at, span.until, span.phase] for span in progress.phases]),
    }


def participation_rows(progress: ShowProgress) -> Iterable[dict[str, Any]]:
    """Yield a row per person of a show."""
    for part in progress.people:
        yield {
            "room": str(progress.info.room),
            "show": progress.info.id,
            "account": str(part.person.account),
            "name": part.person.name,
            "lines": part.lines,
            "selling_lines": part.selling_lines,
            "words": part.words,
            "seconds": round(part.seconds, 3),
            "seated": int(part.seated),
        }
