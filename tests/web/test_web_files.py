"""Files: uploads that go on after a cut and a reload or are given up, small pictures, viewer, film, sound, voice."""

from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.web.people import DESKTOP, WAIT_S, Person, command

pytestmark = [pytest.mark.timeout(150)]
Friends = tuple[Person, Person]
SIZE = 13 * 2**20  # four pieces


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def attach(person: Person, *paths: Path) -> None:
    person.page.locator("input[type=file]").first.set_input_files(list(paths))


def received(person: Person, other: str, text: str, to: Path, number: int = 0) -> bytes:
    """The attachment of a message as the command line saves it."""
    rows = command(person.profile, "read", other, "--limit", "30", "--keep-unread")
    (sent,) = [row for row in rows if row["text"] == text]
    command(person.profile, "save", sent["id"], "--attachment", str(number), "--to", str(to))
    return to.read_bytes()


def hold(person: Person, after: int) -> None:
    """Pieces of uploads after so many bytes do not arrive."""

    def decide(route: Route) -> None:
        query = route.request.url.partition("?")[2]
        offset = int(dict(part.split("=") for part in query.split("&")).get("offset", "0"))
        if route.request.method == "POST" and offset >= after:
            route.abort("connectionreset")
        else:
            route.fallback()

    person.page.route("**/v1/upload?*", decide)


def test_an_upload_goes_on_after_its_connection_broke(friends: Friends, big: Path, tmp_path: Path) -> None:
    alice, bob = friends
    hold(alice, 4 * 2**20)
    attach(alice, big)
    alice.say("large and cut off")
    expect(alice.page.locator(".pending progress")).to_have_attribute(
        "value", "0.3076923076923077", timeout=WAIT_S * 1000
    )
    sent: list[str] = []
    alice.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    alice.page.unroute("**/v1/upload?*")
    bob.sees("large and cut off")
    alice.page.locator(".pending").wait_for(state="detached")
    assert not [url for url in sent if "offset=0" in url], "nothing was sent twice"
    got = received(bob, "Alice", "large and cut off", tmp_path / "got.bin")
    assert hashlib.sha256(got).digest() == hashlib.sha256(big.read_bytes()).digest()
    alice.complaints.clear()  # Chromium reports what the test cut off


def test_an_upload_goes_on_after_a_reload(friends: Friends, big: Path, tmp_path: Path) -> None:
    alice, bob = friends
    hold(alice, 8 * 2**20)
    attach(alice, big)
    alice.say("**large** and reloaded")
    alice.page.locator(".pending progress[value^='0.61']").wait_for()
    alice.page.reload()
    alice.page.unroute("**/v1/upload?*")
    alice.open("Bob")
    pending = alice.page.locator(".pending", has_text="large and reloaded")
    pending.get_by_text("Choose the same files again").wait_for()
    assert pending.locator("progress").get_attribute("value") == "0.6153846153846154"
    (tmp_path / "other.bin").write_bytes(b"something else")
    pending.get_by_test_id("choose-again").set_input_files(tmp_path / "other.bin")
    alice.page.get_by_text("These are not the same files").wait_for()
    sent: list[str] = []
    alice.page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    pending.get_by_test_id("choose-again").set_input_files(big)
    bob.sees("large and reloaded")
    assert not [url for url in sent if "offset=0" in url]
    assert bob.page.locator(".bubble", has_text="large and reloaded").last.locator("strong").inner_text() == "large"
    got = received(bob, "Alice", "large and reloaded", tmp_path / "got.bin")
    assert got == big.read_bytes()
    alice.page.reload()
    alice.open("Bob")
    alice.sees("large and reloaded")
    assert alice.page.locator(".pending").count() == 0
    alice.complaints.clear()


def test_an_upload_is_given_up(friends: Friends, big: Path) -> None:
    alice, bob = friends
    hold(alice, 4 * 2**20)
    attach(alice, big)
    alice.say("never mind")
    alice.page.locator(".pending progress[value^='0.3']").wait_for()
    alice.page.get_by_role("button", name="Do not send").click()
    alice.page.locator(".pending").wait_for(state="detached")
    alice.page.unroute("**/v1/upload?*")
    alice.say("instead this")
    bob.sees("instead this")
    assert bob.page.locator(".bubble", has_text="never mind").count() == 0
    assert not list((alice.profile / "uploads").glob("*")), "nothing is left of it"
    alice.complaints.clear()


def photograph(width: int, height: int, turned: bool = False) -> bytes:
    """A large JPEG with what a camera writes beside it."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    if turned:
        exif[0x0112] = 6
    out = io.BytesIO()
    noise = Image.effect_noise((width // 4, height // 4), 90).resize((width, height)).convert("RGB")
    noise.save(out, "JPEG", quality=92, exif=exif, comment=b"SECRETPLACE")
    return out.getvalue()


def boxes(found: Locator) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = found.evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    return rows


def narrow_pictures_stay_in_their_bubbles(person: Person) -> None:
    person.page.set_viewport_size({"width": 360, "height": 640})
    try:
        bubbles = person.page.locator(".history .bubble", has=person.page.locator(".picture"))
        for index in range(bubbles.count()):
            (around,) = boxes(bubbles.nth(index))
            for inside in boxes(bubbles.nth(index).locator(".picture, img, video")):
                assert around["left"] <= inside["left"]
                assert inside["right"] <= around["right"]
    finally:
        person.page.set_viewport_size(DESKTOP)


def test_lists_show_small_pictures_and_the_viewer_the_whole(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    paths = [tmp_path / f"{name}.jpg" for name in ("wide", "tall", "third")]
    for path, size in zip(paths, ((2400, 1600, False), (2400, 1600, True), (1200, 1200, False)), strict=True):
        path.write_bytes(photograph(*size))
    whole: list[str] = []
    small: list[int] = []
    bob.page.on(
        "response",
        lambda answer: small.append(int(answer.headers["content-length"])) if "preview=1" in answer.url else None,
    )
    bob.page.on(
        "request",
        lambda request: (
            whole.append(request.url) if "/files/" in request.url and "preview" not in request.url else None
        ),
    )
    attach(alice, *paths)
    assert alice.page.locator(".chosen img.chosen-picture").count() == 3
    alice.say("three pictures")
    bob.sees("three pictures")
    album = bob.page.locator(".bubble", has_text="three pictures").last.locator(".album")
    expect(album.locator("img")).to_have_count(3)
    for index in range(3):
        image = album.locator("img").nth(index)
        expect(image).to_have_js_property("complete", True, timeout=WAIT_S * 1000)
        assert 0 < image.evaluate("image => Math.max(image.naturalWidth, image.naturalHeight)") <= 560
    assert not [url for url in whole if "/picture/" not in url], "no original was loaded"
    assert len(small) >= 3
    assert max(small) * 4 < paths[0].stat().st_size, "noise, which nothing makes small"
    assert [round(box["width"]) for box in boxes(album.locator("img"))] == [320, 158, 158]
    narrow_pictures_stay_in_their_bubbles(bob)
    tall = album.locator("img").nth(1).evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert tall[0] < tall[1], "it was held upright"

    album.get_by_role("button", name="View wide.jpg").click()
    page = bob.page
    expect(page.locator(".viewer img")).to_have_js_property("naturalWidth", 2400, timeout=WAIT_S * 1000)
    page.get_by_role("button", name="Next picture").click()
    page.locator(".viewer img[alt='tall.jpg']").wait_for()
    page.locator(".viewer-stage").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".viewer img[alt='third.jpg']").wait_for()
    page.keyboard.press("ArrowLeft")
    page.locator(".viewer img[alt='tall.jpg']").wait_for()
    page.get_by_role("button", name="Original size").click()
    page.locator(".viewer-stage.zoomed").wait_for()
    with page.expect_download() as download:
        page.locator(".viewer").get_by_role("button", name="Save").click()
    got = Path(download.value.path()).read_bytes()
    assert b"SECRET" in paths[1].read_bytes()
    assert b"SECRET" not in got
    page.keyboard.press("Escape")
    page.locator(".viewer").wait_for(state="detached")


def wav(seconds: float) -> bytes:
    data = b"".join(struct.pack("<h", int(9_000 * ((n // 40) % 2 * 2 - 1))) for n in range(int(8_000 * seconds)))
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8_000, 16_000, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVE" + head + b"data" + struct.pack("<I", len(data)) + data


def test_film_and_sound_play(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    (tmp_path / "tune.wav").write_bytes(wav(2))
    (tmp_path / "film.webm").write_bytes(samples_film(alice))
    attach(alice, tmp_path / "tune.wav", tmp_path / "film.webm")
    alice.say("film and sound")
    bob.sees("film and sound")
    bubble = bob.page.locator(".bubble", has_text="film and sound").last
    for element in (bubble.locator("audio"), bubble.locator("video")):
        element.wait_for()
        playing = "async media => { media.muted = true; await media.play(); return media.error === null; }"
        assert element.evaluate(playing)
        expect(element).not_to_have_js_property("currentTime", 0)
        element.evaluate("media => media.pause()")


def samples_film(person: Person) -> bytes:
    numbers: list[int] = person.page.evaluate(
        """async () => {
          const canvas = document.createElement("canvas");
          canvas.width = 64; canvas.height = 48;
          const paint = canvas.getContext("2d");
          const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" });
          const parts = [];
          recorder.ondataavailable = event => parts.push(event.data);
          const done = new Promise(stop => { recorder.onstop = stop; });
          recorder.start();
          for (let frame = 0; frame < 20; frame++) {
            paint.fillStyle = `hsl(${frame * 18} 80% 50%)`; paint.fillRect(0, 0, 64, 48);
            await new Promise(next => setTimeout(next, 40));
          }
          recorder.stop(); await done;
          return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
        }"""
    )
    return bytes(numbers)


def test_a_voice_note_is_recorded_and_its_waveform_is_seen_by_both(friends: Friends) -> None:
    """Chromium's pretended microphone beeps once a second."""
    alice, bob = friends
    for person in friends:
        person.page.context.grant_permissions(["microphone"])
    alice.page.get_by_role("button", name="Record a voice note").click()
    alice.page.locator(".recording .wave").wait_for()
    alice.page.wait_for_timeout(1_600)
    alice.page.get_by_role("button", name="Send").click()
    heights = []
    for person in friends:
        note = person.page.locator(".voice-note").last
        note.wait_for(timeout=WAIT_S * 1000)
        heights.append(note.locator("rect").evaluate_all("bars => bars.map(bar => bar.getAttribute('height'))"))
    assert heights[0] == heights[1]
    loud = [float(height) for height in heights[1]]
    assert max(loud) > 5 * min(loud), f"beeps and silence: {loud}"
    (row,) = command(bob.profile, "read", "Alice", "--limit", "1", "--keep-unread")
    (file,) = row["attachments"]
    assert file["voice_note"]
    assert 1_000 < file["duration_ms"] < 20_000
    assert file["type"] in {"audio/webm", "video/webm", "audio/ogg", "audio/mp4"}
    assert 8 < len(file["waveform"]) <= 64
    note = bob.page.locator(".voice-note").last
    note.get_by_role("button", name="Play").click()
    note.get_by_role("button", name="Pause").wait_for()
    note.get_by_role("slider").press("ArrowRight")
    bob.page.locator("button.row", has_text="🎤").wait_for()
    alice.page.get_by_role("button", name="Record a voice note").click()
    alice.page.get_by_role("button", name="Discard the recording").click()
    alice.page.get_by_role("button", name="Record a voice note").wait_for()


def test_files_are_dropped_pasted_and_left_out(friends: Friends) -> None:
    alice, bob = friends
    make = """([kind, name]) => {
      const data = new DataTransfer();
      data.items.add(new File(["some words"], name, { type: "text/plain" }));
      const target = document.querySelector(kind === "paste" ? ".composer textarea" : ".chat");
      const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
      target.dispatchEvent(event);
    }"""
    alice.page.evaluate(make, ["dragover", "dropped.txt"])
    alice.page.get_by_text("Drop files to send them").wait_for()
    alice.page.evaluate(make, ["drop", "dropped.txt"])
    alice.page.evaluate(make, ["paste", "pasted.txt"])
    alice.page.evaluate(make, ["paste", "mistake.txt"])
    alice.page.get_by_role("button", name="Leave out mistake.txt").click()
    alice.say("two texts")
    bob.sees("two texts")
    bubble = bob.page.locator(".bubble", has_text="two texts").last
    assert bubble.locator(".file-name").all_inner_texts() == ["dropped.txt", "pasted.txt"]
    with bob.page.expect_download() as download:
        bubble.locator(".file", has_text="pasted.txt").click()
    assert Path(download.value.path()).read_text() == "some words"
