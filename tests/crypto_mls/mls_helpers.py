"""What the tests of the MLS core share."""

from __future__ import annotations

import os
from typing import Any

from roost.crypto.mls.suites import CipherSuite, suite_by_id


class SystemEntropy:
    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


def suite_of(case: dict[str, Any]) -> CipherSuite:
    return suite_by_id(case["cipher_suite"])
