"""What a hostile contact sends is shown as harmless text or offered as a file; a hostile page gets nothing at all."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Route

from tests.web import samples
from tests.web.people import Person, Stage, command

pytestmark = pytest.mark.timeout(150)
NAME = "Mallory <img src=x onerror=alert(1)>"
TEXTS = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "javascript:document.title='owned'",
    "https://safe.example\u202e/moc.live//:sptth",
    "https://аpple.com/login",
    "Z\u0335" + "\u0321\u0322\u0327\u0328\u0317\u0316" * 200,
    "x" * 20_000,
    "**" * 4_000,
    "> " * 2_000,
    "||" * 3_000 + "`" * 3_000,
)


@pytest.fixture(scope="module")
def victim(stage: Stage) -> Person:
    """Vera, whose one contact sends whatever it likes."""
    vera = stage.person("Vera")
    mallory = stage.profile(NAME, "mallory")
    link = command(vera.profile, "invite")[0]["link"]
    command(mallory, "add", link, "--greeting", "<b>hi</b>\u202e")
    vera.page.get_by_text("<b>hi</b>").wait_for()
    vera.page.get_by_role("button", name="Accept").click()
    vera.page.locator(".composer textarea").wait_for()
    return vera


def _send(victim: Person, *words: str) -> None:
    command(victim.profile.with_name("mallory"), "send", "--wait", "delivered", _account(victim), *words)


def _account(victim: Person) -> str:
    account: str = command(victim.profile, "whoami")[0]["account"]
    return account


def test_names_stay_names(victim: Person) -> None:
    shown = victim.page.locator(".chat-name bdi").inner_text()
    assert "<img" in shown
    assert "\u202e" not in shown


def test_texts_stay_texts(victim: Person) -> None:
    for number, text in enumerate(TEXTS):
        _send(victim, f"{text}")
        _send(victim, f"after {number}")
        victim.sees(f"after {number}")
    assert victim.page.title() in {"Roost", "(1) Roost"}
    hrefs = victim.page.locator(".bubble a").evaluate_all("links => links.map(link => link.href)")
    assert all(href.startswith(("https://", "http://")) for href in hrefs)
    assert not any("\u202e" in href for href in hrefs)
    names = victim.page.locator(".bubble a", has_text="xn--").all_inner_texts()
    assert names == [] or all("xn--" in name for name in names)
    width = victim.page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert width
    assert victim.foreign == []


SPANS: tuple[list[dict[str, object]], ...] = (
    [{"start": 0, "length": 4_000_000_000, "style": style} for style in ("bold", "code", "quote", "spoiler", "italic")],
    [{"start": -7, "length": 12, "style": "bold"}, {"start": 5, "length": -3, "style": "italic"}],
    [{"start": at % 40, "length": at % 23, "style": ("bold", "strike", "italic")[at % 3]} for at in range(9_000)],
    [{"start": at, "length": 3, "style": ("spoiler", "code", "bold")[at % 3]} for at in range(60)],
    [
        {"start": 2, "length": 9, "style": "<img src=x onerror=alert(1)>"},
        {"start": 1e9, "length": 1e300, "style": "code"},
    ],
    [{"start": 3, "length": 4, "style": "quote"}, {"start": 3, "length": 4, "style": "link"}],
)


def test_whatever_spans_come_the_text_is_shown_once(victim: Person) -> None:
    """Past the agent, which lets none of these through: what a page of the app makes of them."""
    said = "the quick brown \U0001f98a\njumps over <b>the</b> lazy dog"

    def change(route: Route) -> None:
        answer = route.fetch()
        page = answer.json()
        for number, spans in enumerate(SPANS):
            page["messages"].append({**page["messages"][-1], "id": f"{number:032x}", "text": said, "spans": spans})
        route.fulfill(response=answer, json=page)

    _send(victim, "before the spans")
    victim.sees("before the spans")
    victim.page.route("**/v1/history", change)
    try:
        victim.page.reload()
        victim.page.locator("button.row").first.click()
        for number in range(len(SPANS)):
            shown = victim.page.locator(f"[data-id='{number:032x}'] .text")
            shown.wait_for()
            text = shown.evaluate("text => text.textContent")
            assert text.replace("\n", "") == said.replace("\n", "")
            assert shown.evaluate("text => text.querySelectorAll('img, script, iframe, b').length") == 0
    finally:
        victim.page.unroute("**/v1/history")
        victim.page.reload()
        victim.page.locator("button.row").first.click()
        victim.sees("before the spans")


def test_small_pictures_of_hostile_files_are_refused(victim: Person, tmp_path: Path) -> None:
    """A picture of 36 megapixels in a few kilobytes has a preview; one that lies about itself is a file."""
    (tmp_path / "flat.png").write_bytes(samples.png(6_000, 6_000))
    (tmp_path / "broken.png").write_bytes(samples.png(400, 300)[:48])
    _send(victim, "a large and a broken one", *[f"--file={tmp_path / name}" for name in ("flat.png", "broken.png")])
    victim.sees("a large and a broken one")
    bubble = victim.page.locator(".bubble", has_text="a large and a broken one").last
    bubble.locator(".file", has_text="broken.png").wait_for()
    image = bubble.locator(".picture img")
    image.wait_for()
    assert 0 < image.evaluate("async image => { await image.decode(); return image.naturalWidth; }") <= 560


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("drawing.svg", samples.SVG),
        ("picture.png", samples.SVG),
        ("picture.jpg", samples.HTML),
        ("page.html", samples.HTML),
        ("huge.png", samples.png(10_000, 6_000)),
    ],
)
def test_files_are_offered_and_never_run(victim: Person, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    _send(victim, f"file {len(data)}", "--file", str(tmp_path / name))
    victim.sees(f"file {len(data)}")
    bubble = victim.page.locator(".bubble", has_text=f"file {len(data)}").last
    bubble.locator(".file", has_text=name).wait_for()
    with victim.page.expect_download() as download:
        bubble.locator(".file").click()
    assert Path(download.value.path()).read_bytes() == data
    assert "owned" not in victim.page.title()


def _status(url: str, **headers: str) -> int:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_other_pages_get_nothing(victim: Person) -> None:
    own = victim.url.split("#")[0]
    port = own.rsplit(":", 1)[1].strip("/")
    assert _status(own) == 200
    assert _status(own, Host="evil.example") == 403
    assert _status(own, Host=f"evil.example:{port}") == 403
    assert _status(own + "openapi.json") == 401
    assert _status(own + "openapi.json", Authorization="Bearer x") == 401
    assert _status(own, Origin="https://evil.example") == 403
    assert _status(own + "icon.svg", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}) == 403
    assert _status(own + "files/guess/00/0/name") == 401


def test_a_foreign_page_in_the_same_browser(victim: Person, stage: Stage) -> None:
    """A page of another origin can neither read from the agent nor frame the app."""
    own = victim.url.split("#")[0]
    page = stage.browser.new_page()
    try:
        page.route("http://evil.example/", lambda route: route.fulfill(body="<h1>evil</h1>", content_type="text/html"))
        page.goto("http://evil.example/")
        for path in ("", "openapi.json", "v1/whoami"):
            got = page.evaluate("url => fetch(url).then(answer => answer.status, () => 'refused')", own + path)
            assert got == "refused"
        socket = "url => new Promise(done => { const s = new WebSocket(url); s.onopen = () => done('open');"
        socket += " s.onerror = () => done('refused'); })"
        assert page.evaluate(socket, own.replace("http", "ws") + "v1/events") == "refused"
    finally:
        page.close()
