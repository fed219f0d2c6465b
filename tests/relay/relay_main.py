"""A relay as a process of its own: `python relay_main.py JSON` prints `link` and `listen` when ready."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

from roost.errors import RoostError
from roost.relay import Ready, load_config, run_relay


def ready(now: Ready) -> None:
    print(json.dumps({"link": now.link, "listen": now.listen, "home": now.home_link}), flush=True)


def main() -> int:
    settings = json.loads(sys.argv[1])
    if settings.pop("uvloop", False):
        import uvloop

        uvloop.install()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        asyncio.run(run_relay(load_config(None, **{**settings, "data": Path(settings["data"])}), ready))
    except RoostError as error:
        print(json.dumps({"error": error.code, "message": error.message, "hint": error.hint}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
