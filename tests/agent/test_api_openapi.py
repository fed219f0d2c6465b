"""The description of the API is complete, and consistent with itself and with the operations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from roost.agent.api.openapi import description
from roost.agent.events import Event
from roost.agent.operations import BY_REQUEST, OPERATIONS


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(description("1.2.3"))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        yield from node.get("discriminator", {}).get("mapping", {}).values()
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)


def test_every_operation_is_described(document: Any) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"
    for name, operation in OPERATIONS.items():
        post = document["paths"][f"/v1/{name}"]["post"]
        assert post["summary"].endswith((".", ";")) or post["summary"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        assert schema["$ref"].rpartition("/")[2] == operation.request.__name__
        assert {"200", "400", "503"} <= set(post["responses"])


def test_every_reference_leads_somewhere(document: Any) -> None:
    references = set(_references(document))
    assert references
    for reference in references:
        node = document
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_operation_ids_are_unique(document: Any) -> None:
    ids = [method["operationId"] for path in document["paths"].values() for method in path.values()]
    assert len(ids) == len(set(ids))


def test_every_event_is_described(document: Any) -> None:
    schema = document["paths"]["/v1/events"]["get"]["responses"]["101"]["content"]["application/json"]["schema"]
    assert set(schema["discriminator"]["mapping"]) == {kind.__struct_config__.tag for kind in get_args(Event)}


def test_requests_say_what_they_need(document: Any) -> None:
    send = document["components"]["schemas"]["Send"]
    assert send["required"] == ["conversation"]
    assert send["additionalProperties"] is False
    assert "from" in document["components"]["schemas"]["MessageView"]["properties"]


def test_the_table_names_each_operation_once() -> None:
    assert len(OPERATIONS) == len(BY_REQUEST)
    assert {"whoami", "send", "delete-contact", "relays-add", "device-confirm"} <= set(OPERATIONS)
    assert all(operation.summary for operation in OPERATIONS.values())
