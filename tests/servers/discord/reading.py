"""Reads a request: JSON, or a form with files and the JSON beside them."""

import json
import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import BodyPartReader, web

from tests.servers.discord.api import Request
from tests.servers.discord.writing import File


async def read_request(raw: web.Request, at: datetime) -> Request:
    """Return the request; a version in the path, as in `/v10/`, is taken off."""
    files: dict[int, File] = {}
    if raw.content_type.startswith("multipart/"):
        body, files = await _form(raw)
    else:
        body = _parse(await raw.read())
    path = "/" + re.sub(r"^v\d+/", "", raw.match_info["path"])
    reason = raw.headers.get("X-Audit-Log-Reason")
    authorization = raw.headers.get("Authorization", "")
    audit = unquote(reason) if reason is not None else None
    return Request(raw.method, path, raw.query, body, files, audit, at, authorization)


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data) if data else {}
    except ValueError:
        return None


async def _form(raw: web.Request) -> tuple[Any, dict[int, File]]:
    body: Any = {}
    files: dict[int, File] = {}
    async for part in await raw.multipart():
        assert isinstance(part, BodyPartReader)
        data = bytes(await part.read(decode=True))
        number = re.fullmatch(r"files\[(\d+)\]", part.name or "")
        if part.name == "payload_json":
            body = json.loads(data)
        elif number is not None:
            files[int(number[1])] = File(part.filename or "file", data)
    return body, files
