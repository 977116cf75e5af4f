"""Sets of label values: tables in Karpenter's terms, and the laws of sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.requirements import ANYTHING, NOTHING, Values, compatible, gathered, values_of
from webhook.core.scheduling import NodeSelectorRequirement

PROBES = ["", "a", "b", "4", "5", "6", "x5"]


def of(text: str) -> NodeSelectorRequirement:
    key, operator, *values = text.split()
    return NodeSelectorRequirement(key, operator, tuple(values))


def sets(*texts: str) -> dict[str, Values]:
    return gathered(map(of, texts), {"old": "known"})


@pytest.mark.parametrize(
    ("texts", "allowed"),
    [
        (["k In a b"], ["a", "b"]),
        (["k NotIn a b"], ["", "4", "5", "6", "x5"]),
        (["k Exists"], PROBES),
        (["k DoesNotExist"], []),
        (["k Gt 4"], ["5", "6"]),
        (["k Lt 5"], ["4"]),
        (["k Gte 5"], ["5", "6"]),
        (["k Lte 5"], ["4", "5"]),
        (["k Gt 4", "k Lt 6"], ["5"]),
        (["k Gt 5", "k Lt 5"], []),
        (["k In a 5", "k Gt 4"], ["5"]),
        (["k In a b", "k NotIn b"], ["a"]),
        (["k Gt 9223372036854775807"], []),
        (["k Gt x"], ["4", "5", "6"]),  # what is no number is 0
        (["k Sometimes"], PROBES),  # no operator: nothing is ruled out
    ],
)
def test_what_requirements_leave_open(texts, allowed):
    values = sets(*texts)["k"]
    assert [probe for probe in PROBES if values.allows(probe)] == allowed


@pytest.mark.parametrize(
    ("pool", "pod", "fits"),
    [
        ([], [], True),
        (["k In a"], ["k In a b"], True),
        (["k In a"], ["k In b"], False),
        (["k In a"], ["k Exists"], True),
        (["k In a"], ["k DoesNotExist"], False),
        (["k In a"], ["k NotIn a"], False),
        # A label that the pool does not define is not there, unless the provider may set it.
        ([], ["k In a"], False),
        ([], ["k Exists"], False),
        ([], ["k Gt 4"], False),
        ([], ["k NotIn a"], True),
        ([], ["k DoesNotExist"], True),
        ([], ["known In a"], True),
        ([], ["old In a"], True),
        (["known In a"], ["old In b"], False),
        (["k DoesNotExist"], ["k NotIn a"], True),
        (["k NotIn a"], ["k DoesNotExist"], True),
        (["k Exists"], ["k DoesNotExist"], False),
        # Bounds that shut out what is named leave nothing named: the label has to be there after all.
        ([], ["k NotIn 9", "k Lt 5"], False),
    ],
)
def test_compatible(pool, pod, fits):
    assert compatible(sets(*pool), sets(*pod), "known".__eq__) is fits


requirements = st.one_of(
    st.builds(
        NodeSelectorRequirement,
        st.just("k"),
        st.sampled_from(["In", "NotIn"]),
        st.lists(st.sampled_from(PROBES), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(NodeSelectorRequirement, st.just("k"), st.sampled_from(["Exists", "DoesNotExist"]), st.just(())),
    st.builds(
        NodeSelectorRequirement,
        st.just("k"),
        st.sampled_from(["Gt", "Lt", "Gte", "Lte"]),
        st.tuples(st.sampled_from(["4", "5"])),
    ),
)
values = st.lists(requirements, max_size=4).map(lambda found: gathered(found, {}).get("k", ANYTHING))


@given(values, values, st.sampled_from(PROBES))
def test_meeting_is_intersection(one, other, probe):
    """requirement.go: "Intersection constraints the Requirement from the incoming requirements"."""
    met = one.met(other)
    assert met.allows(probe) == (one.allows(probe) and other.allows(probe))
    assert met == other.met(one)
    assert one.met(one) == one
    assert one.met(ANYTHING) == one
    assert one.met(NOTHING) == NOTHING
    assert one.meets(other) == (not met.none)


@given(requirements)
def test_a_single_value_is_the_one_that_is_allowed(requirement):
    only = values_of(requirement).only
    assert only is None or [probe for probe in PROBES if values_of(requirement).allows(probe)] == [only]
