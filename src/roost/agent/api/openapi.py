"""The OpenAPI 3.1 description of the local API, made from the table of operations and the events."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from roost.agent.api.answers import STATUS, ErrorAnswer
from roost.agent.events import Event
from roost.agent.operations import OPERATIONS, Operation

_REF = "#/components/schemas/{name}"


@cache
def description(version: str) -> bytes:
    """The whole document, as JSON."""
    kinds = [kind for row in OPERATIONS.values() for kind in (row.request, row.response)]
    references, schemas = msgspec.json.schema_components([*kinds, ErrorAnswer, Event], ref_template=_REF)
    answers = dict(zip(OPERATIONS, zip(references[::2], references[1::2], strict=False), strict=False))
    error, event = references[-2:]
    paths: dict[str, Any] = {
        f"/v1/{name}": {"post": _post(OPERATIONS[name], *answers[name], error)} for name in answers
    }
    paths["/v1/events"] = {"get": _events(event)}
    paths["/openapi.json"] = {"get": {"operationId": "openapi", "summary": "This document.", "responses": _ok({})}}
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Roost agent",
            "version": version,
            "description": "What apps ask of the agent of one profile. docs/api.md tells how to reach it.",
        },
        "servers": [{"url": "http://127.0.0.1:{port}", "variables": {"port": {"default": "0"}}}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }
    return msgspec.json.encode(document)


def _post(operation: Operation, request: Any, response: Any, error: Any) -> dict[str, Any]:
    refusals = {
        str(status.value): {"description": status.phrase, "content": _json(error)}
        for status in sorted({status for _, status in STATUS})
    }
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "requestBody": {"required": True, "content": _json(request)},
        "responses": {**_ok(response), **refusals},
    }


def _events(event: Any) -> dict[str, Any]:
    return {
        "operationId": "events",
        "summary": "A WebSocket: each text message is one event.",
        "parameters": [
            {
                "name": "from_now",
                "in": "query",
                "required": False,
                "description": "true: leave out what happened since a listener last took events.",
                "schema": {"type": "boolean", "default": True},
            }
        ],
        "responses": {"101": {"description": "Events follow, each as this:", "content": _json(event)}},
    }


def _ok(schema: Any) -> dict[str, Any]:
    return {"200": {"description": "OK", "content": _json(schema)}}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
