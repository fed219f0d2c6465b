"""What an app shows of the profile as a whole: preferences, space used, privacy, links."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from roost.agent import browsing as b
from roost.agent import desktop, naming, showing
from roost.agent.actions.registry import handles
from roost.crypto import account_id
from roost.errors import CallerError
from roost.messaging import files
from roost.messaging import records as r
from roost.messaging.work import Work
from roost.wire.addresses import OnionHost
from roost.wire.links import (
    ChannelLink,
    Invitation,
    InvitationKind,
    MalformedLink,
    RelayLink,
    parse_channel_link,
    parse_invitation,
    parse_relay_link,
)

if TYPE_CHECKING:
    from roost.agent.service import Service

_PREFERENCE = "preference/"
_MAX_PREFERENCES = 200
_DAY_MS = 86_400_000
L = TypeVar("L", ChannelLink, Invitation, RelayLink)


# --- preferences -----------------------------------------------------------------------------------------------------


def _preferences(work: Work) -> b.Preferences:
    rows = [row for row in work.find(r.Setting) if row.name.startswith(_PREFERENCE)]
    return b.Preferences(values={row.name.removeprefix(_PREFERENCE): row.value.decode() for row in rows})


@handles(b.GetPreferences, unlinked=True)
async def get_preferences(service: Service, _: b.GetPreferences) -> b.Preferences:
    return _preferences(service.engine.look())


@handles(b.SetPreference, unlinked=True)
async def set_preference(service: Service, request: b.SetPreference) -> b.Preferences:
    engine = service.engine
    values = _preferences(engine.look()).values
    if request.value and request.name not in values and len(values) >= _MAX_PREFERENCES:
        raise CallerError("There are too many preferences.", code="too_many")

    def change(work: Work) -> None:
        row = r.Setting(_PREFERENCE + request.name, request.value.encode())
        if request.value:
            work.put(row)
        else:
            work.delete(row)

    engine.step(change)
    return _preferences(engine.look())


@handles(b.Privacy)
async def privacy(service: Service, request: b.Privacy) -> b.PrivacyView:
    engine = service.engine
    if request.read_receipts is not None:
        wanted = request.read_receipts
        engine.step(lambda work: work.put(msgspec.structs.replace(work.me, read_receipts=wanted)))
    return b.PrivacyView(read_receipts=engine.look().me.read_receipts)


# --- space -----------------------------------------------------------------------------------------------------------


@handles(b.Storage)
async def storage(service: Service, _: b.Storage) -> b.StorageView:
    work = service.engine.look()
    sizes: dict[bytes, tuple[int, int]] = {}
    for file in work.find(r.StoredFile, where={"state": int(r.FileState.COMPLETE)}):
        message = work.get(r.Message, file.message)
        if message is not None:
            count, total = sizes.get(message.conversation, (0, 0))
            sizes[message.conversation] = (count + 1, total + file.size)
    rows = naming.conversations(work)
    path = service.engine.profile.path
    return b.StorageView(
        database=sum(file.stat().st_size for file in path.glob("roost.db*")),
        files=sum(file.stat().st_size for file in (path / "files").glob("*") if file.is_file()),
        conversations=tuple(_space(work, row, *sizes.get(row.id, (0, 0))) for row in rows),
    )


@handles(b.DropFiles)
async def drop_files(service: Service, request: b.DropFiles) -> b.StorageView:
    engine = service.engine
    named = request.conversation
    account = naming.conversation(engine.look(), named).id if named is not None else None
    engine.step(files.drop, account, engine.now_ms - request.days * _DAY_MS)
    engine.transfers.sweep()
    return await storage(service, b.Storage())


@handles(b.SoftwareInfo, unlinked=True)
async def software_info(_: Service, __: b.SoftwareInfo) -> b.Software:
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        about = metadata("roost")
        version, license = about["Version"], about["License-Expression"] or ""
    except PackageNotFoundError:  # run from a folder that was never installed
        version, license = "", ""
    return b.Software(
        version=version,
        license=license,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        notifies=desktop.available(),
        downloads=str(next((folder for folder in _download_folders() if folder.is_dir()), "")),
    )


def _download_folders() -> tuple[Path, ...]:
    return (Path(os.environ.get("XDG_DOWNLOAD_DIR") or Path.home() / "Downloads"), Path.home())


def _space(work: Work, row: naming.Conversation, files: int, size: int) -> b.ConversationStorage:
    return b.ConversationStorage(
        id=account_id(row.id),
        name=row.name,
        messages=len(work.find(r.Message, where={"conversation": row.id})),
        files=files,
        bytes=size,
    )


# --- links ----------------------------------------------------------------------------------------------------------


@handles(b.Qr, unlinked=True)
async def qr(_: Service, request: b.Qr) -> b.QrCode:
    import segno

    code = segno.make_qr(request.text, error="m")
    return b.QrCode(rows=tuple("".join("1" if cell else "0" for cell in row) for row in code.matrix))


_USES = {InvitationKind.GROUP: b.LinkUse.GROUP, InvitationKind.DEVICE: b.LinkUse.DEVICE}


@handles(b.ReadLink)
async def read_link(_: Service, request: b.ReadLink) -> b.LinkView:
    invitation = _tried(parse_invitation, request.link)
    if invitation is not None:
        return b.LinkView(use=_USES.get(invitation.kind, b.LinkUse.CONTACT), host=showing.host(invitation.relay))
    channel = _tried(parse_channel_link, request.link)
    if channel is not None:
        return b.LinkView(use=b.LinkUse.CHANNEL, host=showing.host(channel.relay))
    relay = _tried(parse_relay_link, request.link)
    if relay is not None:
        use = b.LinkUse.NETWORK if isinstance(relay.address, OnionHost) else b.LinkUse.RELAY
        return b.LinkView(use=use, host=showing.host(relay.address))
    return b.LinkView(use=b.LinkUse.UNKNOWN)


def _tried(parse: Callable[[str], L], text: str) -> L | None:
    try:
        return parse(text)
    except MalformedLink:
        return None
