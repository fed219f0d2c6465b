"""The timings that are compared: those of the product, and each half of `mixed` alone."""

from __future__ import annotations

from roost.network.onion.cover import HOP_DELAY_S, LOOP_S, SEND_S
from roost.network.onion.exchange import _BEAT_S, _MIXED_BEAT_S
from tests.anonymity.packets import Timing

PROMPT_S = 0.002  # what a node takes that does not wait

TIMINGS = (
    Timing("fast", PROMPT_S, _BEAT_S),
    Timing("delays without cover", HOP_DELAY_S, _MIXED_BEAT_S),
    Timing("cover without delays", PROMPT_S, _MIXED_BEAT_S, SEND_S, LOOP_S),
    Timing("mixed: delays and cover", HOP_DELAY_S, _MIXED_BEAT_S, SEND_S, LOOP_S),
)
