"""How long each target has been fuzzed, over all runs: `fuzz/hours.json`, written by the command that did it."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

FILE = Path(__file__).with_name("hours.json")
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "testing.md"
BEGIN, END = "<!-- fuzz hours -->", "<!-- end of fuzz hours -->"


def read() -> dict[str, dict[str, int]]:
    """Seconds and executions of each target."""
    try:
        hours: dict[str, dict[str, int]] = json.loads(FILE.read_text())
    except FileNotFoundError:
        return {}
    return hours


def add(name: str, seconds: int, runs: int) -> None:
    """Count a run that took place. Several processes may do so at once."""
    with FILE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        hours = read()
        entry = hours.setdefault(name, {"seconds": 0, "runs": 0})
        entry["seconds"] += seconds
        entry["runs"] += runs
        new = FILE.with_suffix(".new")
        new.write_text(json.dumps(dict(sorted(hours.items())), indent=1) + "\n")
        os.replace(new, FILE)


def table(properties: dict[str, str]) -> str:
    """The state as a Markdown table."""
    hours = read()
    lines = ["| target | property | fuzzed for | inputs |", "| --- | --- | --- | --- |"]
    for name, meaning in properties.items():
        entry = hours.get(name, {"seconds": 0, "runs": 0})
        minutes, seconds = divmod(entry["seconds"], 60)
        lines.append(f"| `{name}` | {meaning} | {minutes} min {seconds:02} s | {entry['runs']:,} |")
    total = sum(entry["seconds"] for entry in hours.values())
    lines.append(f"| all | | {total / 3600:.1f} h | {sum(entry['runs'] for entry in hours.values()):,} |")
    return "\n".join(lines)


def write_table(properties: dict[str, str]) -> None:
    """Put the table between its marks in docs/testing.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(properties)}\n{END}{after}", encoding="utf-8")
