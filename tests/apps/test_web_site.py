"""The files of the web app, as the agent serves them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from roost.apps.web.site import Site


def test_a_page_goes_on_after_a_newer_one_was_installed(tmp_path: Path) -> None:
    """An agent serves what it began with: a page's parts that are loaded later fit it."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><meta property='csp-nonce' nonce='__NONCE__'>")
    (folder / "assets" / "later-1.js").write_text("export default 1;")
    site = Site(folder)
    shutil.rmtree(folder)

    async def ask() -> None:
        application = web.Application()
        site.add_routes(application)
        async with TestClient(TestServer(application)) as client:
            page = await client.get("/")
            text = await page.text()
            assert "__NONCE__" not in text
            nonce = text.split("nonce='")[1].split("'")[0]
            assert f"'nonce-{nonce}'" in page.headers["Content-Security-Policy"]
            part = await client.get("/assets/later-1.js")
            assert (await part.text(), part.content_type) == ("export default 1;", "text/javascript")
            assert "immutable" in part.headers["Cache-Control"]

    assert site.built
    assert site.public == {"/", "/assets/later-1.js"}
    asyncio.run(ask())
