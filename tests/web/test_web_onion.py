"""Onion networks in the app: the first start with a network's link, and what is wrong with a link."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.links import RelayLink
from tests.web.people import Stage
from tests.web.test_web_access import serious

pytestmark = pytest.mark.timeout(150)


def _link() -> str:
    """A whole link, of a network that does not run."""
    return str(RelayLink(OnionHost(bytes(range(32)), (RelayAddress("127.0.0.1", 9, bytes(32)),))))


def test_what_is_wrong_with_a_link_is_said_where_it_stands(stage: Stage) -> None:
    """Before anything is asked: a damaged link, somebody's invitation, and a link in the other field."""
    page = (nina := stage.window("Nina", *stage.host("nina"))).page
    page.get_by_label("Your name").fill("Nina")
    page.get_by_text("Nothing but my user account").click()
    page.get_by_text("In an onion network I was given a link to").click()
    page.get_by_text("no station on the way knows both ends").wait_for()
    field = page.get_by_label("Link of the onion network")
    start = page.get_by_role("button", name="Start", exact=True)
    expect(start).to_be_disabled()
    whole = _link()
    for broken in (whole[:-1], whole[:40] + ("A" if whole[40] != "A" else "B") + whole[41:], whole + " x"):
        field.fill(broken)
        page.get_by_role("alert").filter(has_text="This link is damaged").wait_for()
        expect(start).to_be_disabled()
    assert serious(nina) == []
    field.fill("roost:" + "A" * 60)
    page.get_by_role("alert").filter(has_text="This is not an onion network's link").wait_for()
    field.fill(f"  {whole} ")
    page.get_by_role("alert").wait_for(state="detached")
    expect(start).to_be_enabled()

    field.fill(stage.relay)
    expect(page.get_by_role("radio", name="At a relay I was given a link to")).to_be_checked()
    expect(page.get_by_label("Link of the relay")).to_be_focused()
    page.get_by_label("Link of the relay").fill(whole)
    expect(page.get_by_role("radio", name="In an onion network I was given a link to")).to_be_checked()
    assert serious(nina) == []
    assert nina.complaints == []
    assert nina.foreign == []
