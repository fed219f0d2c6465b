"""Where a person's profile lies unless they say otherwise."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def default_profile() -> Path:
    """ROOST_PROFILE, or the platform's data folder."""
    if chosen := os.environ.get("ROOST_PROFILE"):
        return Path(chosen)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "Roost"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "Roost"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "roost"
