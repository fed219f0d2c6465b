"""The web app in a real Chromium: start, a conversation of 100,000 messages, scrolling, typing, and to the other side.

Two people with real agents at a real relay on this machine. What the browser alone takes is measured in the same run,
on an empty page. ROOST_WEB_MESSAGES makes the long conversation shorter or longer. Needs Chromium and the built app.
"""

from __future__ import annotations

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Clock, Result, cost

MESSAGES = int(os.environ.get("ROOST_WEB_MESSAGES", "100000"))
STARTS, OPENINGS, KEYS = 3, 7, 25
SLOWER = 4  # CPU throttling of the scrolling

# In the page. A frame has been painted when the task after its animation frame runs.
_HELPERS = """() => {
window.painted = () => new Promise(done => requestAnimationFrame(() => {
  const channel = new MessageChannel(); channel.port1.onmessage = done; channel.port2.postMessage(0); }));
window.appears = (root, test) => new Promise(done => {
  const look = () => { if (test()) { watch.disconnect(); painted().then(() => done(performance.now())); } };
  const watch = new MutationObserver(look);
  watch.observe(root, { childList: true, subtree: true, characterData: true }); look(); }); }
"""
_OPEN = """async name => {
  const named = one => one.querySelector(".row-name").innerText === name;
  const row = [...document.querySelectorAll("button.row")].find(named);
  const begun = performance.now(); row.click();
  const end = await appears(document.body, () => document.querySelectorAll(".history .bubble").length > 5);
  return end - begun; }"""
_FETCH = """async conversation => {
  const { token } = JSON.parse(localStorage.getItem("roost.session"));
  const begun = performance.now();
  const answer = await fetch("/v1/history", { method: "POST", body: JSON.stringify({ conversation, limit: 60 }),
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` } });
  await answer.json(); return performance.now() - begun; }"""
_SCROLL = """async ([selector, by, seconds]) => {
  const box = document.querySelector(selector); const frames = [];
  let last = await new Promise(requestAnimationFrame); const begun = last;
  while (last - begun < seconds * 1000) {
    box.scrollTop -= by; if (box.scrollTop < 10) box.scrollTop = Math.max(box.scrollTop, 0);
    const now = await new Promise(requestAnimationFrame); frames.push(now - last); last = now; }
  return frames; }"""
_TALL = """<div id=box style="height:600px;overflow:auto"><div style="height:400000px;background:
repeating-linear-gradient(#eee 0 30px,#ccc 30px 60px)"></div></div><input id=field><div id=out></div>"""
_KEY = """([field, root, text]) => { window.done = new Promise(done => {
  document.querySelector(field).addEventListener("keydown", event => {
    if (event.key !== "Enter") return;
    const begun = event.timeStamp;
    appears(document.querySelector(root), () => document.querySelector(root).innerText.includes(text))
      .then(end => done(end - begun));
  }, { once: true, capture: true }); }); }"""
_BARE = """text => { window.field.addEventListener("keydown", event => {
  if (event.key === "Enter") out.append(Object.assign(document.createElement("div"), { innerText: text })); },
  { once: true }); }"""
_SEEN = """text => { window.seen = appears(document.querySelector(".history"),
  () => document.querySelector(".history").innerText.includes(text)).then(at => performance.timeOrigin + at); }"""


def _median(name: str, milliseconds: list[float], floor: Result | None = None) -> Result:
    return cost(name, statistics.median(milliseconds) * 1000, floor)


def _start(world: Any, profile: Path, roost: Callable[..., Any]) -> tuple[list[float], list[float]]:
    """From the command to a list that can be used, and the page's share of it; milliseconds."""
    whole, page = [], []
    for _ in range(STARTS):
        begun = time.perf_counter()
        with roost("--profile", str(profile), "--no-browser") as ready:
            served = time.perf_counter()
            person = world.window("Hilda", profile, ready["url"])
            person.page.locator("button.row").first.wait_for()
            now = time.perf_counter()
            person.page.context.close()
        whole.append((now - begun) * 1000)
        page.append((now - served) * 1000)
    return whole, page


def _open(person: Any) -> tuple[list[float], list[float]]:
    page, opened, fetched = person.page, [], []
    conversation = ""
    for _ in range(OPENINGS):
        page.reload()
        page.locator("button.row").first.wait_for()
        page.evaluate(_HELPERS)
        opened.append(page.evaluate(_OPEN, "Ivo"))
        conversation = conversation or _conversation(page)
        fetched.append(page.evaluate(_FETCH, conversation))
    return opened, fetched


def _conversation(page: Any) -> str:
    listed: str = page.evaluate(
        """async () => { const { token } = JSON.parse(localStorage.getItem("roost.session"));
        const answer = await fetch("/v1/conversations", { method: "POST", body: "{}",
          headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` } });
        return (await answer.json())[0].id; }"""
    )
    return listed


def _dropped(frames: list[float]) -> float:
    """Per cent of the frames of a display of 60 Hz that did not come."""
    due = sum(frames) / (1000 / 60)
    return max(0.0, 100 * (1 - len(frames) / due)) if due else 0.0


def _scroll(page: Any, selector: str, slower: int) -> tuple[list[float], float]:
    """What each frame took, and the CPU time that the page's own thread spent on one, both in milliseconds."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    try:
        before = _thread_seconds(session)
        frames: list[float] = page.evaluate(_SCROLL, [selector, 30, 5])
        spent = _thread_seconds(session) - before
    finally:
        session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        session.detach()
    return frames, spent * 1000 / max(1, len(frames))


def _thread_seconds(session: Any) -> float:
    metrics = {row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def _scrolling(page: Any, empty: Any) -> list[Result]:
    results = []
    for slower in (1, SLOWER):
        (bare, _), (ours, spent) = _scroll(empty, "#box", slower), _scroll(page, ".history", slower)
        under = f"CPU throttled x{slower}" if slower > 1 else "not throttled"
        floor = Result(f"empty page: frames dropped scrolling, {under}", _dropped(bare), "%")
        results += [floor, Result(f"history: frames dropped scrolling, {under}", _dropped(ours), "%")]
        worst = sorted(ours)[int(len(ours) * 0.99)]
        results.append(Result(f"history: slowest frame in a hundred, {under}", worst, "ms"))
        if slower == 1:
            results.append(Result("history: CPU time of the page for a frame of 30 pixels", spent, "ms"))
    return results


def _keys(page: Any, other: Any, empty: Any) -> list[Result]:
    bare, painted, seen = [], [], []
    empty.evaluate(_HELPERS)
    other.evaluate(_HELPERS)
    page.evaluate(_HELPERS)
    for number in range(KEYS):
        text = f"benchmark-{number}-{time.monotonic_ns()}"
        empty.evaluate(_BARE, text)
        empty.evaluate(_KEY, ["#field", "#out", text])
        empty.locator("#field").press("Enter")
        bare.append(empty.evaluate("() => window.done"))
        page.locator(".composer textarea").fill(text)
        page.evaluate(_KEY, [".composer textarea", ".history", text])
        other.evaluate(_SEEN, text)
        sent = page.evaluate("() => performance.timeOrigin + performance.now()")
        page.keyboard.press("Enter")
        painted.append(page.evaluate("() => window.done"))
        seen.append(other.evaluate("() => window.seen") - sent)
    floor = _median("empty page: key press to painted text", bare)
    return [
        floor,
        _median("key press to painted own message", painted, floor),
        _median("send to seen in the other browser", seen),
    ]


def _shipped(static: Path) -> list[Result]:
    page = (static / "index.html").read_text()
    parts = {path: len(gzip.compress(path.read_bytes(), 9)) for path in (static / "assets").glob("*.js")}
    first = sum(size for path, size in parts.items() if path.name in page)
    return [
        Result("JavaScript before the list is there, gzipped", first / 1000, "kB"),
        Result("JavaScript in all (languages, emoji, what is opened later), gzipped", sum(parts.values()) / 1000, "kB"),
    ]


def run(clock: Clock) -> list[Result]:  # noqa: ARG001 - what is measured takes as long as it takes
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return []
    from roost.apps.web.site import STATIC
    from tests.web import people

    if people.CHROMIUM is None or not (STATIC / "index.html").exists():
        print("web: needs Chromium and the built app (make web); left out", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = people.launch(playwright.chromium)
        with people.stage(Path(name), browser) as world:
            results = _measure(world, people.roost)
        browser.close()
    return [*results, *_shipped(STATIC)]


def _measure(world: Any, roost: Callable[..., Any]) -> list[Result]:
    words = (str(world.folder), world.relay, "Hilda", "Ivo", str(MESSAGES))
    subprocess.run([sys.executable, "-m", "tests.web.long_history", *words], check=True)
    hilda, ivo = world.folder / "hilda", world.folder / "ivo"
    whole, page = _start(world, hilda, roost)
    with roost("--profile", str(hilda), "--no-browser") as one, roost("--profile", str(ivo), "--no-browser") as two:
        mine, theirs = world.window("Hilda", hilda, one["url"]), world.window("Ivo", ivo, two["url"])
        theirs.open("Hilda")
        opened, fetched = _open(mine)
        empty = world.browser.new_page()
        empty.set_content(_TALL)
        empty.evaluate("() => { box.scrollTop = 300000; }")
        results = _scrolling(mine.page, empty)
        mine.page.reload()
        mine.open("Ivo")
        results += _keys(mine.page, theirs.page, empty)
        mine.page.context.close()
        theirs.page.context.close()
    floor = _median(f"the agent's answer: the newest 60 of {MESSAGES:,}", fetched)
    return [
        _median("from the command to a list that can be used", whole),
        _median("... of it the page", page),
        floor,
        _median(f"opening a conversation of {MESSAGES:,} messages, painted", opened, floor),
        *results,
    ]
