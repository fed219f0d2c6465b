"""What the MLS core raises. Whatever it raises, the group's state is what it was: operations return new values.

Each class is one thing that a caller would do differently. Peers are told nothing of any of them.
"""

from __future__ import annotations

from roost.errors import CallerError, CryptoError


class MlsError(CryptoError):
    """Root: another party's bytes are refused."""

    code = "mls_refused"


class Malformed(MlsError):
    """The bytes are not a canonical encoding of the structure (RFC 9420 section 2.1). Drop them."""

    code = "malformed"


class TooLarge(MlsError):
    """A structure is larger than this implementation accepts. Drop it."""

    code = "too_large"


class Unsupported(MlsError):
    """A version, cipher suite, credential, extension or proposal that this implementation does not know."""

    code = "needs_newer"


class NotAuthentic(MlsError):
    """A signature, tag or ciphertext does not verify. Drop it."""

    code = "not_authentic"


class Replayed(MlsError):
    """The message's key was used already, or is older than those that are kept. Drop it."""

    code = "replayed"


class TooFarAhead(MlsError):
    """The sender's generation is further ahead than keys are derived for (RFC 9420 section 15.3). Drop it."""

    code = "too_far_ahead"


class WrongGroup(MlsError):
    """The message is for another group. Try it there."""

    code = "wrong_group"


class StaleEpoch(MlsError):
    """The message belongs to an epoch whose keys are gone; a commit that lost. Drop it, or begin anew on top."""

    code = "stale_epoch"


class FutureEpoch(MlsError):
    """The message belongs to an epoch that is not reached yet. Keep it until the commits before it came."""

    code = "future_epoch"


class OwnMessage(MlsError):
    """The message is this member's own, sent back. Compare it with what waits to be accepted."""

    code = "own_message"


class InvalidChange(MlsError):
    """A proposal, commit, tree or key package breaks a rule of RFC 9420. Drop it; a commit's author is at fault."""

    code = "invalid_change"


class NotForThisClient(MlsError):
    """No key package of this client, or no private key of this member, opens it. A member rejoins."""

    code = "not_for_this_client"


class MissingProposal(MlsError):
    """A commit names a proposal that did not arrive. Wait for it, or rejoin."""

    code = "missing_proposal"


class MissingPsk(MlsError):
    """A pre-shared key is named that this client does not hold."""

    code = "missing_psk"


class GroupClosed(CallerError):
    """The group was reinitialised, or this member is no longer in it: it sends nothing more (section 12.4.2)."""

    code = "group_closed"
    hint = "Go on in the group that replaced this one, or ask a member to add you again."


class MlsMisuse(CallerError):
    """Our caller asked for what RFC 9420 forbids, such as removing itself in its own commit."""

    code = "bad_request"
