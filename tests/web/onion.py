"""People with an onion network and no relay: a small one of real processes, for the tests and the screenshots."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Browser, Locator

from roost.wire.addresses import OnionHost
from roost.wire.links import RelayLink
from tests.relay.onion_helpers import World
from tests.web.people import Person, Stage, roost

NODES = 6  # three keep a mailbox; with one of them and the guard there are enough for the rest of a path


class OnionStage(Stage):
    """A stage whose people keep their mailboxes in an onion network."""

    def __init__(self, folder: Path, browser: Browser, stack: contextlib.ExitStack) -> None:
        world = World(folder / "network", NODES)
        link = str(RelayLink(OnionHost(world.document.id, (world.nodes[0].address, world.nodes[1].address))))
        super().__init__(folder, browser, link, stack)
        self._nodes = stack.enter_context(contextlib.ExitStack())
        with ThreadPoolExecutor(NODES) as pool:
            for entered in pool.map(lambda number: _node(world, number), range(NODES)):
                self._nodes.enter_context(entered)

    def go_dark(self) -> None:
        """All nodes are gone."""
        self._nodes.close()


@contextlib.contextmanager
def network(folder: Path, browser: Browser) -> Iterator[OnionStage]:
    with contextlib.ExitStack() as stack:
        yield OnionStage(folder, browser, stack)


def _node(world: World, number: int) -> contextlib.ExitStack:
    with contextlib.ExitStack() as stack:
        listen = f"127.0.0.1:{world.nodes[number].address.port}"
        words = ("--data", str(world.data(number)), "--listen", listen, "--onion", "--directory", world.link)
        stack.enter_context(roost("relay", *words))
        return stack.pop_all()


def begin(person: Person, link: str) -> None:
    """The first start, with the network's link."""
    page = person.page
    page.get_by_label("Your name").fill(person.name)
    page.get_by_text("Nothing but my user account").click()
    page.get_by_text("In an onion network I was given a link to").click()
    page.get_by_label("Link of the onion network").fill(link)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("heading", name="Add the first person").wait_for()


def become_contacts(first: Person, second: Person) -> None:
    """By an invitation, in the app alone."""
    page = first.page
    page.get_by_role("button", name="Add a person").first.click()
    page.get_by_role("button", name="Make the invitation").click()
    link = page.get_by_test_id("invitation").inner_text()
    first.close()
    page = second.page
    page.get_by_role("button", name="Add a person").first.click()
    page.get_by_role("tab", name="I have a link").click()
    page.get_by_label("Invitation link").fill(link)
    page.get_by_role("button", name="Ask to become contacts").click()
    first.page.get_by_role("button", name="Accept").click()
    for person, other in ((first, second), (second, first)):
        person.open(other.name)


def panel(person: Person) -> Locator:
    """The route panel, opened."""
    found = person.page.get_by_role("complementary", name="Route and privacy")
    if not found.is_visible():
        person.page.get_by_role("button", name="Route and privacy").click()
    found.locator(".hops").wait_for()
    return found


def names(stations: Locator) -> list[str]:
    """What stands on each line of a list, without what is below it."""
    return [re.split(r"\n", row)[0] for row in stations.all_inner_texts()]
