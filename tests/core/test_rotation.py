"""What is due about self-managed certificates: the table, and the laws that hold whatever the state."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.rotation import (
    BACKDATED,
    FOREIGN_LIMIT,
    KEPT,
    Authority,
    Held,
    Leaf,
    Lives,
    MakeAuthority,
    Plan,
    SignLeaf,
    Span,
    Trusted,
    plan,
    too_early,
)

DAY = 86400.0
LIVES = Lives(authority=730 * DAY, leaf=90 * DAY, seen=30.0)
NOW = 1000 * DAY


def made(days_ago: float, life: float) -> Span:
    """The span of what was made some days ago for so many days."""
    begun = NOW - days_ago * DAY
    return Span(begun - BACKDATED, begun + life * DAY)


def authority(mark: str, days_ago: float = 10, life: float = 730, *, signs: bool = True) -> Authority:
    return Authority(mark, made(days_ago, life), signs)


def leaf(of: str, days_ago: float = 10, life: float = 90, *, suits: bool = True) -> Leaf:
    return Leaf(of, made(days_ago, life), suits)


def trusted(*marks: str, seen: Mapping[str, float] | None = None, old: tuple[str, ...] = ()) -> Trusted:
    """One webhook that has these authorities, seen for long unless told otherwise; `old` have ended three hours ago."""
    spans = {mark: made(10, 730) for mark in marks} | {mark: Span(0.0, NOW - 3 * 3600) for mark in old}
    return Trusted((spans,), dict.fromkeys(marks, 3600.0) if seen is None else seen)


A, OLD_A, B = authority("A"), authority("A", 500), authority("B", 0)
KEYLESS = authority("A", signs=False)


def new_authority(*kept: str) -> MakeAuthority:
    return MakeAuthority(NOW + LIVES.authority, frozenset(kept))


def sign(by: str, *keys: str, ends: float = NOW + LIVES.leaf) -> SignLeaf:
    return SignLeaf(by, ends, frozenset(keys or (by,)))


@pytest.mark.parametrize(
    ("held", "seen", "due"),
    [
        # from nothing
        (Held(), trusted(), Plan(new_authority())),
        (Held(), None, Plan(new_authority())),
        (Held((A,)), trusted(), Plan(sign("A"), (("A",),))),
        (Held((A,)), trusted("A", seen={"A": 0.0}), Plan(sign("A"))),
        (Held((A,)), Trusted(), Plan(sign("A"))),
        (Held((A,)), None, Plan(wait=True)),
        (Held((A,), leaf("A")), trusted("A"), Plan()),
        # what is good stays, and a lost bundle is filled again
        (Held((A,), leaf("A")), None, Plan()),
        (Held((A,), leaf("A")), trusted(), Plan(None, (("A",),))),
        (Held((A,), leaf("A")), trusted("other"), Plan(None, (("A", "other"),))),
        # a serving certificate that is due, or for other names: by the same authority, seen or not
        (Held((A,), leaf("A", 59)), trusted("A"), Plan()),
        (Held((A,), leaf("A", 60)), trusted("A"), Plan(sign("A"))),
        (Held((A,), leaf("A", 60)), trusted("A", seen={}), Plan(sign("A"))),
        (Held((A,), leaf("A", 60)), None, Plan(sign("A"))),
        (Held((A,), leaf("A", 91)), trusted("A"), Plan(sign("A"))),
        (Held((A,), leaf("A", suits=False)), None, Plan(sign("A"))),
        # an authority that is due: a new one beside it, which signs when it has been seen for long enough
        (Held((authority("A", 486),), leaf("A")), trusted("A"), Plan()),
        (Held((authority("A", 487),), leaf("A")), trusted("A"), Plan(new_authority("A"))),
        (Held((B, OLD_A), leaf("A")), trusted("A"), Plan(None, (("B", "A"),), wait=True)),
        (Held((B, OLD_A), leaf("A")), trusted("A", "B", seen={"B": 29.9, "A": 99.0}), Plan(wait=True)),
        (Held((B, OLD_A), leaf("A")), trusted("A", "B", seen={"B": 30.0, "A": 99.0}), Plan(sign("B"))),
        (Held((B, OLD_A), leaf("A")), None, Plan(wait=True)),
        # meanwhile the old one signs on, and its key stays; once the new one has signed, it goes
        (Held((B, OLD_A), leaf("A", 60)), None, Plan(sign("A", "A", "B"))),
        (Held((B, OLD_A), leaf("A", 60)), trusted("A", "B", seen={"B": 1.0}), Plan(sign("A", "A", "B"))),
        (Held((B, KEYLESS), leaf("B")), trusted("A", "B"), Plan()),
        # nothing signed ends later than its authority, and what would not last longer is not signed again
        (Held((B, authority("A", 700)), leaf("A", 80)), None, Plan(sign("A", "A", "B", ends=NOW + 30 * DAY))),
        (Held((B, authority("A", 700)), leaf("A", 60, 90)), None, Plan(wait=True)),
        # the key of an authority is lost: nobody who was served by it must be left behind
        (Held((KEYLESS,), leaf("A")), trusted("A"), Plan(new_authority("A"))),
        (Held((B, KEYLESS), leaf("A")), trusted("A"), Plan(None, (("B", "A"),), wait=True)),
        (Held((B, KEYLESS)), trusted("B", "A", seen={"B": 1.0, "A": 99.0}), Plan(wait=True)),
        (Held((B, KEYLESS)), trusted("B", "A"), Plan(sign("B"))),
        # the serving pair is lost: by what has been seen for longest
        (Held((B, OLD_A)), trusted("B", "A", seen={"B": 1.0, "A": 99.0}), Plan(sign("A", "A", "B"))),
        (Held((B, OLD_A)), trusted("B", "A", seen={"B": 1.0, "A": 9.0}), Plan(sign("A", "A", "B"))),
        (Held((B, OLD_A)), trusted("B", "A", seen={}), Plan(sign("A", "A", "B"))),
        # the Secret is lost, or podgate takes over from somebody: it waits for the bundle
        (Held(), trusted("A"), Plan(new_authority())),
        (Held((B,)), trusted("A"), Plan(None, (("B", "A"),), wait=True)),
        (Held((B,)), trusted("B", "A", seen={"B": 29.0}), Plan(wait=True)),
        (Held((B,)), trusted("B", "A", seen={"B": 30.0}), Plan(sign("B"))),
        # after a year in which nothing ran
        (Held((authority("A", 800),), leaf("A", 400)), trusted(old=("A",)), Plan(new_authority(), ((),))),
        (Held((B,), leaf("A", 400)), trusted(old=("A",)), Plan(sign("B"), (("B",),))),
        # what has ended goes from the bundle, later than from the Secret
        (Held((A,), leaf("A")), trusted("A", old=("old",)), Plan(None, (("A",),))),
        # what begins in the future was made by a clock that is wrong
        (Held((authority("A", -1),), leaf("A", -1)), trusted("A"), Plan(new_authority())),
        (Held((A,), leaf("A", -1)), trusted("A"), Plan(sign("A"))),
    ],
)
def test_what_is_due(held: Held, seen: Trusted | None, due: Plan) -> None:
    found = plan(held, seen, NOW, LIVES)
    assert (found.secret, found.wait) == (due.secret, due.wait)
    assert _sets(found) == _sets(due)


def _sets(found: Plan) -> object:
    return found.bundles and [list(marks) for marks in found.bundles]


def test_an_authority_leaves_the_bundle_an_hour_after_its_end() -> None:
    own = Held((A,), leaf("A"))
    for ends, stays in ((NOW + 1, True), (NOW - KEPT + 1, True), (NOW - KEPT, False)):
        bundle = {"A": A.span, "other": Span(0.0, ends)}
        assert (plan(own, Trusted((bundle,)), NOW, LIVES).bundles is None) == stays


def test_every_webhook_has_a_bundle_of_its_own() -> None:
    bundles: tuple[dict[str, Span], ...] = ({"A": A.span}, {"other": A.span}, {})
    found = plan(Held((A,), leaf("A")), Trusted(bundles), NOW, LIVES)
    assert found.bundles == [["A"], ["A", "other"], ["A"]]


def test_the_authorities_of_others_are_bounded() -> None:
    others = {f"other-{number}": Span(0.0, NOW + number) for number in range(1, 50)}
    (found,) = plan(Held((A,), leaf("A")), Trusted((others,)), NOW, LIVES).bundles or ()
    assert found == ["A", *(f"other-{number}" for number in range(49, 49 - FOREIGN_LIMIT, -1))]


times = st.floats(0, 2 * NOW)
spans = st.builds(Span, times, times)
marks = st.sampled_from("ABCDE")
authorities = st.lists(st.builds(Authority, marks, spans, st.booleans()), unique_by=lambda one: one.mark)
held = st.builds(Held, authorities, st.none() | st.builds(Leaf, marks, spans, st.booleans()))
looks = st.none() | st.builds(
    Trusted, st.lists(st.dictionaries(marks, spans)), st.dictionaries(marks, st.floats(0, 100))
)


@given(held, looks)
def test_the_laws(state: Held, seen: Trusted | None) -> None:
    found = plan(state, seen, NOW, LIVES)
    by_mark = {one.mark: one for one in state.authorities}
    match found.secret:
        case SignLeaf(signer, ends, keys):
            one = by_mark[signer]
            assert one.signs
            assert one.span.good(NOW)
            assert NOW < ends <= one.span.ends
            assert signer in keys
            # Signed by whom the API servers trust already, or at a time at which there is nobody whom they trust.
            own = {each.mark for each in state.authorities if each.signs}
            known = seen is not None and seen.seen.get(signer, 0.0) >= LIVES.seen
            same = state.leaf is not None and state.leaf.authority == signer
            alone = seen is not None and not any(
                span.good(NOW) and mark not in own for bundle in seen.bundles for mark, span in bundle.items()
            )
            assert known or same or alone
        case MakeAuthority(ends, kept):
            assert ends > NOW
            assert kept == {one.mark for one in state.authorities if one.span.good(NOW)}
    if seen is not None and found.bundles is not None:
        for bundle, wanted in zip(seen.bundles, found.bundles, strict=True):
            good = [mark for mark, span in bundle.items() if span.ends > NOW]
            assert set(good) <= set(wanted)  # nothing that is good is taken away
            assert {one.mark for one in state.authorities if one.span.good(NOW)} <= set(wanted)
            assert len(wanted) == len(set(wanted))


@given(held, looks)
def test_once_the_bundle_is_as_wanted_nothing_more_is_wanted_of_it(state: Held, seen: Trusted | None) -> None:
    found = plan(state, seen, NOW, LIVES)
    if seen is None or found.bundles is None:
        return
    spans = {one.mark: one.span for one in state.authorities}
    then = [
        {mark: bundle.get(mark, spans.get(mark, A.span)) for mark in wanted}
        for bundle, wanted in zip(seen.bundles, found.bundles, strict=True)
    ]
    assert plan(state, Trusted(then, seen.seen), NOW, LIVES).bundles is None


@pytest.mark.parametrize(
    ("new", "served", "seen", "waits"),
    [
        # it starts: others may serve what is trusted
        ("B", None, trusted("A"), True),
        ("B", None, trusted("A", "B", seen={"A": 3600.0, "B": 0.0}), False),
        ("B", None, trusted(), False),
        ("B", None, trusted(old=("A",)), False),
        ("B", None, Trusted(), False),
        # it serves what is trusted
        ("B", leaf("A"), trusted("A"), True),
        ("B", leaf("A"), trusted("A", "B", seen={"A": 3600.0, "B": 29.0}), True),
        ("B", leaf("A"), trusted("A", "B", seen={"A": 3600.0, "B": 30.0}), False),
        ("A", leaf("A"), trusted("A", seen={"A": 0.0}), False),
        # it serves what is not trusted, or not any more
        ("B", leaf("A"), trusted("C"), False),
        ("B", leaf("A", 91), trusted("A"), False),
        ("B", leaf("A"), Trusted(), False),
    ],
)
def test_when_a_pair_of_the_secret_waits(new: str, served: Leaf | None, seen: Trusted, waits: bool) -> None:
    assert too_early(leaf(new, 0), served, seen, NOW, LIVES.seen) is waits
