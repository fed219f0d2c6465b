"""Which response answers which request, and refusals as errors with a sentence for people. Pure."""

from __future__ import annotations

from typing import Final

from roost.errors import Refused
from roost.network.errors import answered_wrongly
from roost.wire import mailbox as m

_ANSWERS: Final[dict[type[m.Request], type[m.Response]]] = {
    m.Create: m.Done,
    m.Put: m.Stored,
    m.Get: m.Entries,
    m.Subscribe: m.Subscribed,
    m.Unsubscribe: m.Done,
    m.Trim: m.Done,
    m.Seal: m.Done,
    m.Delete: m.Done,
    m.ChangeGrants: m.Done,
    m.PutBlob: m.Done,
    m.GetBlob: m.BlobData,
    m.PutCard: m.Done,
    m.GetCard: m.CardData,
    m.DeleteCard: m.Done,
    m.GetInfo: m.SignedInfo,
    m.Forward: m.SealedAnswer,
    m.Packet: m.SealedAnswer,
    m.Ping: m.Done,
    m.GetDirectory: m.DirectoryPart,
    m.PutDescriptor: m.Done,
    m.GetBallots: m.DirectoryPart,
    m.OnionPacket: m.Done,
    m.AttachOnion: m.Done,
    m.ProveNode: m.Done,
    m.SwarmCall: m.SwarmAnswer,
}

_WAIT = "Nothing is lost; Roost tries again by itself."
_SENTENCES: Final[dict[m.RefusalCode, tuple[str, str]]] = {
    m.RefusalCode.BAD_REQUEST: ("The relay did not understand the request.", "Update Roost, here or on the relay."),
    m.RefusalCode.DENIED: (
        "They moved to another mailbox or blocked you; it is tried again.",
        "Nothing is lost. If they moved, their new address comes by itself.",
    ),
    m.RefusalCode.NOT_ADMITTED: (
        "The relay's access secret is missing or wrong.",
        "Use the relay's whole link; ask its operator for it.",
    ),
    m.RefusalCode.FULL: ("The mailbox or the relay is full for now.", _WAIT),
    m.RefusalCode.SLOW_DOWN: ("The relay asks to slow down.", _WAIT),
    m.RefusalCode.SEALED: ("The mailbox takes no more messages; its owner has moved to another.", _WAIT),
    m.RefusalCode.WORK_NEEDED: ("The relay asks for a proof of work first.", _WAIT),
    m.RefusalCode.BLOBS_MISSING: ("Parts of the attachment are not at the relay.", _WAIT),
    m.RefusalCode.NOT_FOUND: ("The relay does not have it, or no longer.", ""),
    m.RefusalCode.OLD_VERSION: ("The relay holds a newer version already.", ""),
    m.RefusalCode.BAD_DESTINATION: ("The relay does not forward to that address.", "Ask the relay's operator."),
    m.RefusalCode.UNREACHABLE: ("The other person's relay does not answer.", _WAIT),
    m.RefusalCode.STALE_PACKET: ("The other person's relay could not open what was sent.", _WAIT),
    m.RefusalCode.UNSUPPORTED: ("The relay cannot do this on this path.", "Update Roost, here or on the relay."),
    m.RefusalCode.MOVED: ("Another node of the onion network answers for this mailbox.", _WAIT),
    m.RefusalCode.INTERNAL: ("The relay had an internal error.", _WAIT),
}


def refused(refusal: m.Refusal) -> Refused:
    """A relay's no as an error; its `code` is the refusal's."""
    message, hint = _SENTENCES[refusal.code]
    return Refused(
        message,
        code=refusal.code.value,
        hint=hint,
        retry_after_ms=refusal.retry_after_ms,
        detail=refusal.detail,
    )


_NO_WAY: Final = {
    "not_near": "Their device is not near, on no network that both have; it is sent when you meet.",
    "carriers_off": "Talking from device to device is off.",
    "foreign_network": "It is on an onion network that you do not use, and whose nodes would learn your address.",
}


def sentence(code: str) -> str:
    """What a refusal's code means, or why a host is not reached, in one sentence; empty for another code."""
    if code in _NO_WAY:
        return _NO_WAY[code]
    return _SENTENCES[m.RefusalCode(code)][0] if code in list(m.RefusalCode) else ""


def fits(kind: type[m.Request], response: m.Response) -> bool:
    """Whether `response` is one that a request of this kind can have."""
    return isinstance(response, (m.Refusal, _ANSWERS[kind]))


def accept(request: m.Request, response: m.Response) -> m.Response:
    """`response`, if it is the positive answer to `request`.

    Raises:
        Refused: the relay said no.
        NotARelay: it answered something that was not asked.
    """
    if isinstance(response, m.Refusal):
        raise refused(response)
    if not fits(type(request), response):
        raise answered_wrongly()
    return response
