"""Structures are values: nobody changes one behind another's back."""

from __future__ import annotations

import pytest

from roost.wire.codec import Record, TextRecord
from tests.wire.strategies import ALL_KINDS


@pytest.mark.parametrize("kind", [Record, TextRecord, *ALL_KINDS], ids=lambda kind: kind.__name__)
def test_a_structure_is_immutable_and_an_array(kind: type[Record]) -> None:
    config = kind.__struct_config__
    assert config.frozen
    assert config.array_like
    assert config.forbid_unknown_fields
