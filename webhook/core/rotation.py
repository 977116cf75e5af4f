"""What is to be done next about self-managed certificates: a decision over times, without cryptography or clock.

Whatever a replica serves must verify against the bundle that every API server has by now; see
docs/adr/0018-self-managed-certificates.md. All times are seconds since 1970, all spans seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

BACKDATED: Final = 3600.0
"""How far back a new certificate begins: clocks of replicas and API servers differ by minutes at worst."""

KEPT: Final = 3600.0
"""How long an authority that has ended stays in the bundle, for the clocks that are behind."""

FOREIGN_LIMIT: Final = 8
"""Authorities of others that stay in the bundle; there are one or two, before podgate takes over."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a certificate is good, as it says itself."""

    begins: float
    ends: float

    def good(self, now: float) -> bool:
        """Whether it is good at a time."""
        return self.begins <= now < self.ends

    def due(self, now: float) -> bool:
        """Whether two thirds of its life are over, counted from when it was made."""
        made = min(self.begins + BACKDATED, self.ends)
        return now >= self.ends - (self.ends - made) / 3


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority of the Secret. `mark` tells it from all others; `signs`: the Secret has its key too."""

    mark: str
    span: Span
    signs: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """The serving certificate of the Secret. `authority` is the mark of its signer, which is in the Secret too;
    `suits`: it has the names that the API server calls podgate by."""

    authority: str
    span: Span
    suits: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What the Secret holds: authorities, newest first, and the serving certificate; None where there is none."""

    authorities: Sequence[Authority] = ()
    leaf: Leaf | None = None


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the webhook configuration names. `bundles` are the authorities of each webhook by mark, in order; `seen`
    says since how many seconds an authority has been in all of them."""

    bundles: Sequence[Mapping[str, Span]] = ()
    seen: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lives:
    """How long things last: an authority, a serving certificate; and for how long an authority must have been seen in
    the bundle before a certificate of it is served."""

    authority: float
    leaf: float
    seen: float


@dataclass(frozen=True, slots=True)
class MakeAuthority:
    """Put a new authority into the Secret, until a time. The serving pair stays as it is."""

    ends: float
    keep: frozenset[str]
    """The marks of the authorities that stay beside it."""


@dataclass(frozen=True, slots=True)
class SignLeaf:
    """Put a new serving pair into the Secret, signed by an authority, until a time."""

    authority: str
    ends: float
    keys: frozenset[str]
    """The marks of the authorities whose keys stay: those that may yet sign."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `secret`: to the Secret. `bundles`: the marks that each webhook's bundle is to have, in order;
    None where the configuration is right as it is, or not known. `wait`: a serving pair waits for its authority."""

    secret: MakeAuthority | SignLeaf | None = None
    bundles: Sequence[Sequence[str]] | None = None
    wait: bool = False


def plan(held: Held, trusted: Trusted | None, now: float, lives: Lives) -> Plan:
    """What is to be done at a time; `trusted` None: the configuration could not be read."""
    good = [one for one in held.authorities if one.span.good(now)]
    signers = [one for one in good if one.signs]
    bundles = _bundles(good, trusted, now)
    if not signers or signers[0].span.due(now):
        return Plan(MakeAuthority(now + lives.authority, frozenset(one.mark for one in good)), bundles)
    leaf = held.leaf if held.leaf is not None and held.leaf.span.good(now) else None
    if leaf is not None and leaf.suits and leaf.authority == signers[0].mark and not leaf.span.due(now):
        return Plan(None, bundles)
    signer = _signer(signers, leaf, trusted, now, lives.seen)
    if signer is None:
        return Plan(None, bundles, wait=True)
    ends = min(now + lives.leaf, signer.span.ends)
    if leaf is not None and not _better(leaf, signer, ends, now, lives.leaf):
        return Plan(None, bundles, wait=signer is not signers[0])
    keys = frozenset(one.mark for one in signers[: signers.index(signer) + 1])
    return Plan(SignLeaf(signer.mark, ends, keys), bundles)


def too_early(new: Leaf, served: Leaf | None, trusted: Trusted, now: float, seconds: float) -> bool:
    """Whether a pair of the Secret is not to be served yet, since some API server may not trust it and does trust what
    is served; `served` None: by others. It is so where somebody has put an old Secret back, or where this replica has
    not seen the new authority for as long as the one that has signed. No pair waits for one that has ended."""
    if served is None:
        return any(
            new.authority not in bundle and any(span.good(now) for span in bundle.values())
            for bundle in trusted.bundles
        )
    if new.authority == served.authority or not served.span.good(now):
        return False
    lost = not any(served.authority in bundle for bundle in trusted.bundles)
    return not lost and trusted.seen.get(new.authority, -1.0) < seconds


def _signer(
    signers: Sequence[Authority], leaf: Leaf | None, trusted: Trusted | None, now: float, seconds: float
) -> Authority | None:
    """The authority that may sign now; None where one has to be seen first. `signers` are newest first."""
    seen = trusted.seen if trusted is not None else {}
    for one in signers:
        if seen.get(one.mark, -1.0) >= seconds:
            return one
    if leaf is not None:
        # The one that has signed what is served: trusted or not, nothing changes for the API servers.
        return next((one for one in signers if one.mark == leaf.authority), None)
    if trusted is not None and not _others(signers, trusted, now):
        return max(reversed(signers), key=lambda one: seen.get(one.mark, -1.0))
    return None


def _others(signers: Sequence[Authority], trusted: Trusted, now: float) -> bool:
    """Whether an API server may be trusting a certificate that none of these has signed."""
    own = {one.mark for one in signers}
    return any(span.good(now) for bundle in trusted.bundles for mark, span in bundle.items() if mark not in own)


def _better(leaf: Leaf, signer: Authority, ends: float, now: float, life: float) -> bool:
    """Whether a certificate that `signer` would sign is worth it: else one whose authority is about to end, and cannot
    be followed by another yet, would be renewed over and over, for the same end."""
    if signer.mark != leaf.authority or not leaf.suits:
        return True
    return leaf.span.due(now) and ends - leaf.span.ends >= life / 10


def _bundles(good: Sequence[Authority], trusted: Trusted | None, now: float) -> Sequence[Sequence[str]] | None:
    if trusted is None:
        return None
    own = [one.mark for one in good]
    wanted = [[*own, *_staying(own, bundle, now)] for bundle in trusted.bundles]
    right = all(set(marks) == bundle.keys() for marks, bundle in zip(wanted, trusted.bundles, strict=True))
    return None if right else wanted


def _staying(own: Sequence[str], bundle: Mapping[str, Span], now: float) -> Sequence[str]:
    """The authorities of a bundle that stay beside podgate's: those that have not ended, the last to end first."""
    others = [mark for mark, span in bundle.items() if mark not in own and now < span.ends + KEPT]
    return sorted(others, key=lambda mark: -bundle[mark].ends)[:FOREIGN_LIMIT]
