"""A long conversation: opened at its end, scrolled both ways, gone to by date, search and answer, where one stopped."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web import long_history
from tests.web.people import WAIT_S, Person, Stage, command, roost

pytestmark = pytest.mark.timeout(120)
COUNT = 2_400


def befriended(stage: Stage, name: str, other: str) -> tuple[Path, Path]:
    """Two profiles without agents, contacts of each other; the first has a long conversation."""
    words = (str(stage.folder), stage.relay, name, other, str(COUNT))
    subprocess.run([sys.executable, "-m", "tests.web.long_history", *words], check=True, timeout=60)
    return stage.folder / name.lower(), stage.folder / other.lower()


@pytest.fixture(scope="module")
def talk(stage: Stage) -> Iterator[tuple[Person, Path]]:
    """Hilda, whose conversation with Ivo is long, with her window, and Ivo's profile."""
    hilda, ivo = befriended(stage, "Hilda", "Ivo")
    with roost("--profile", str(hilda), "--no-browser") as ready:
        person = stage.window("Hilda", hilda, ready["url"])
        person.open("Ivo")
        yield person, ivo
        person.page.context.close()
    assert person.complaints == []


@pytest.fixture
def hilda(talk: tuple[Person, Path]) -> Person:
    return talk[0]


def numbers(person: Person) -> list[int]:
    """The numbers of the messages that are in the page, from top to bottom."""
    texts = person.page.locator(".history .message .text").evaluate_all(
        """texts => texts.map(text => [text.closest(".history-row").getBoundingClientRect().top, text.innerText])
          .sort((one, other) => one[0] - other[0]).map(([, text]) => text)"""
    )
    return [int(text.rsplit(" ", 1)[-1]) for text in texts if text.rsplit(" ", 1)[-1].isdigit()]


def scroll(person: Person, by: int) -> None:
    box = person.page.locator(".history").bounding_box()
    assert box is not None
    person.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    person.page.mouse.wheel(0, by)
    person.page.wait_for_timeout(30)


def scroll_until(person: Person, by: int, reached: int) -> None:
    """Scroll down, or up (`by` below 0), until a message or a later one is there: a long step may pass over it."""
    deadline = time.monotonic() + WAIT_S * 2
    while not any(number <= reached if by < 0 else number >= reached for number in numbers(person)):
        assert time.monotonic() < deadline, f"at {numbers(person)[:3]} on the way to {reached}"
        scroll(person, by)


def test_it_opens_at_its_end_with_few_elements(hilda: Person) -> None:
    hilda.page.locator(".history .bubble", has_text=str(COUNT - 1)).last.wait_for()
    shown = numbers(hilda)
    assert shown[-1] == COUNT - 1
    assert shown == sorted(shown)
    assert hilda.page.locator(".history-row").count() < 80


def test_scrolling_back_and_forth_misses_nothing(hilda: Person) -> None:
    seen: set[int] = set()
    for _ in range(150):
        now = numbers(hilda)
        assert now == sorted(now)
        seen.update(now)
        if now and now[0] < COUNT - 700:
            break
        scroll(hilda, -900)
    assert hilda.page.locator(".history-row").count() < 80
    lowest = min(seen)
    assert lowest < COUNT - 700, "so far that the newest ones were let go"
    assert seen == set(range(lowest, COUNT))
    scroll_until(hilda, 2_000, COUNT - 1)
    scroll(hilda, 2_000)  # the last message may be there before it is in sight
    hilda.page.locator(".to-end").wait_for(state="detached")


def test_what_comes_while_one_reads_back_moves_nothing(hilda: Person, talk: tuple[Person, Path]) -> None:
    scroll(hilda, -3_000)
    hilda.page.locator(".to-end").wait_for()
    hilda.page.wait_for_timeout(300)
    before = hilda.page.locator(".history").evaluate("history => history.scrollTop")
    shown = numbers(hilda)
    command(talk[1], "send", "Hilda", "news from Ivo", "--wait", "delivered")
    hilda.page.locator("button.row", has_text="news from Ivo").wait_for()
    assert abs(hilda.page.locator(".history").evaluate("history => history.scrollTop") - before) < 4
    assert numbers(hilda) == shown
    hilda.page.locator(".to-end .count", has_text="1").wait_for()
    hilda.page.locator(".to-end").click()
    hilda.sees("news from Ivo")
    hilda.page.locator("button.row .unread").wait_for(state="detached")


def test_going_to_a_date_and_on_in_both_directions(hilda: Person) -> None:
    """Messages are 26 minutes apart."""
    number = COUNT // 2
    there = datetime.fromtimestamp(time.time() - (COUNT - number) * long_history.EVERY_MS / 1000, UTC)
    hilda.more("Go to a date")
    hilda.page.get_by_label("Date", exact=True).fill(there.strftime("%Y-%m-%d"))
    hilda.page.get_by_role("button", name="Go", exact=True).click()
    hilda.page.locator(".message.flash").wait_for()
    shown = numbers(hilda)
    assert any(abs(one - number) < 60 for one in shown)
    first, last = min(shown), max(shown)
    scroll_until(hilda, -1_500, first - 150)
    scroll_until(hilda, 1_500, last + 150)


def test_an_old_hit_is_found_and_the_way_back(hilda: Person) -> None:
    hilda.more("Search in this conversation")
    hilda.page.get_by_role("searchbox", name="Search in this conversation").fill("137")
    hilda.page.locator(".message.flash mark", has_text="137").wait_for()
    while "of" not in hilda.page.locator(".find-bar .hint").inner_text():
        hilda.page.wait_for_timeout(20)
    newest = hilda.page.locator(".message.flash .text").inner_text()
    hilda.page.get_by_role("button", name="Newer").click()
    expect(hilda.page.locator(".message.flash .text")).not_to_have_text(newest, timeout=WAIT_S * 1000)
    hilda.page.keyboard.press("Escape")
    hilda.page.locator(".to-end").click()
    hilda.sees("news from Ivo")


def test_an_answer_leads_to_what_it_answers(hilda: Person, talk: tuple[Person, Path]) -> None:
    ivo = talk[1]
    rows = command(hilda.profile, "read", "Ivo", "--limit", "600", "--keep-unread")
    target = next(row for row in rows if row["text"].endswith(f" {COUNT - 500}"))
    hilda.menu("news from Ivo", "Reply")
    hilda.say("first, what you said")
    hilda.page.locator(".message.mine", has_text="first, what you said").last.locator(".quote").click()
    hilda.page.locator(".message.flash", has_text="news from Ivo").wait_for()
    command(ivo, "sync")
    page = hilda.page
    page.evaluate(
        """([conversation, reply]) => {
          const { token } = JSON.parse(localStorage.getItem("roost.session"));
          const body = JSON.stringify({ conversation, text: "about long ago", reply_to: reply });
          return fetch("/v1/send", { method: "POST", body,
            headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` } });
        }""",
        [target["conversation"], target["id"]],
    )
    page.locator(".bubble", has_text="about long ago").locator(".quote").click()
    page.locator(".message.flash", has_text=str(COUNT - 500)).wait_for()


def test_the_unread_line_stands_where_one_stopped(hilda: Person, talk: tuple[Person, Path]) -> None:
    ivo = talk[1]
    hilda.page.keyboard.press("Escape")
    hilda.page.locator(".welcome").wait_for()
    for number in range(3):
        command(ivo, "send", "Hilda", f"unread {number}", "--wait", "delivered")
    hilda.page.locator("button.row .unread", has_text="3").wait_for()
    hilda.open("Ivo")
    line = hilda.page.locator(".unread-line")
    line.wait_for()
    top = line.bounding_box()
    first = hilda.page.locator(".bubble", has_text="unread 0").bounding_box()
    assert top is not None
    assert first is not None
    assert top["y"] < first["y"]
    expect(hilda.page.locator("button.row .unread")).to_have_count(0, timeout=WAIT_S * 1000)
    command(ivo, "sync")
    states = {row["text"]: row["state"] for row in command(ivo, "read", "Hilda", "--limit", "9", "--keep-unread")}
    assert {text: state for text, state in states.items() if text.startswith("unread")} == {
        f"unread {number}": "read" for number in range(3)
    }
