"""Builds the web app (web/) into the package, where node is: as `make web`, and as a build hook of the wheel and sdist.

What was built is not committed; the wheel and the sdist carry it, so that people need no node. It is skipped when
nothing in web/ has changed since. Without node everything else is built all the same, and one line says what lacks.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # as a script
    BuildHookInterface = object  # type: ignore[assignment,misc]

STATIC = "src/roost/apps/web/static"
STAMP = ".built-from"
NODE = (20, 19)


def build(root: Path, *, insist: bool = False) -> str:
    """Build if needed; returns what to tell. Raises RuntimeError where `insist` and it cannot be built."""
    static = root / STATIC
    source = root / "web"
    built = (static / "index.html").exists()
    if not source.is_dir():
        return "" if built else "roost: this package has no web app in it; the commands work all the same"
    wanted = _digest(source)
    if built and _read(static / STAMP) == wanted:
        return ""
    problem = _node_problem()
    if problem:
        if insist:
            raise RuntimeError(problem)
        return f"roost: the web app was {'not built anew' if built else 'left out'}: {problem}"
    _npm(source, "ci", "--no-audit", "--no-fund")
    _npm(source, "run", "build")
    (static / STAMP).write_text(wanted)
    return "roost: the web app was built"


def _node_problem() -> str:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return f"it needs Node.js {NODE[0]}.{NODE[1]} or newer, with npm, on the PATH"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip().lstrip("v")
    if tuple(int(part) for part in version.split(".")[:2]) < NODE:
        return f"it needs Node.js {NODE[0]}.{NODE[1]} or newer, and this is {version}"
    return ""


def _npm(folder: Path, *words: str) -> None:
    done = subprocess.run([str(shutil.which("npm")), *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"npm {words[0]} failed in web/:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def _digest(source: Path) -> str:
    """Over everything that the build reads."""
    found = hashlib.sha256()
    for folder, folders, names in sorted(os.walk(source)):
        folders[:] = sorted(set(folders) - {"node_modules"})
        for name in sorted(names):
            path = Path(folder) / name
            found.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


class WebAppHook(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Hatch runs this before it packs the wheel or the sdist. An editable install leaves the build to `make web`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        said = build(Path(self.root))
        if said:
            self.app.display_warning(said)
        if (Path(self.root) / STATIC / "index.html").exists():
            build_data["artifacts"].append(f"/{STATIC}/**")


if __name__ == "__main__":
    try:
        print(
            build(Path(__file__).resolve().parent.parent, insist="--insist" in sys.argv)
            or "roost: the web app is up to date"
        )
    except RuntimeError as error:
        sys.exit(f"roost: {error}")
