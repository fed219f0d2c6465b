"""How much an observer still does not know: the measures of anonymity.

Serjantov, Danezis: "Towards an Information Theoretic Metric for Anonymity", PET 2002 (the effective size of the
anonymity set is the entropy of the observer's probabilities), and Diaz, Seys, Claessens, Preneel: "Towards measuring
anonymity", PET 2002 (the same as a share of the most that there can be).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def entropy(weights: Iterable[float]) -> float:
    """In bits, of probabilities in proportion to these weights. 10 bits: as good as hidden among 1,024."""
    kept = [weight for weight in weights if weight > 0]
    total = sum(kept)
    if not total:
        return 0.0
    return max(0.0, math.log2(total) - sum(weight * math.log2(weight) for weight in kept) / total)


def degree(bits: float, size: int) -> float:
    """Of anonymity among `size`: from 0, known, to 1, nothing learned."""
    return bits / math.log2(size) if size > 1 else 0.0


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
