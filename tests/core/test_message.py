"""Messages: the texts for single cases, and what holds for any text whatever names and registries say."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.decision import ImageFinding, NodeFinding, Reason
from webhook.core.errors import ErrorCode
from webhook.core.grouping import NodeGroup
from webhook.core.message import (
    Facts,
    denial,
    last_resort,
    not_in_time,
    not_understood,
    platform_text,
    too_early,
    too_late,
    warnings,
)
from webhook.core.outcome import Outcome, Why, runs
from webhook.core.platform import Platform
from webhook.core.scheduling import Node
from webhook.core.text import WIDTH, clean, either, more, name_some
from webhook.core.wording import error_text
from webhook.core.workload import ContainerRole, PodConstraints, Workload


def test_the_other_texts():
    assert last_resort("7-8") == "podgate: internal error, request 7-8 was let through without a check"
    assert (
        not_in_time("7-8")
        == "podgate: request 7-8 was let through without a check, since there was no time left for it"
    )
    assert last_resort("\n") == "podgate: internal error, request (no uid) was let through without a check"
    assert too_early() == "podgate: not checked, since the nodes of the cluster are not known yet"
    assert too_late() == "podgate: not checked, since there was no time to read it"
    assert (
        not_understood("spec.containers: is missing")
        == "podgate: not checked, since it was not understood: spec.containers: is missing"
    )
    assert platform_text(None) == "platform unknown"
    assert platform_text(Platform("windows", "amd64", "", "10.0.20348")) == "windows/amd64:10.0.20348"


@pytest.mark.parametrize(
    ("values", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_alternatives(values, text):
    assert either(values) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, ""), (1, "n0"), (3, "n0, n1, n2"), (4, "n0, n1, n2 and 1 more"), (1000, "n0, n1, n2 and 997 more")],
)
def test_three_names_then_a_count(count, text):
    assert name_some([f"n{number}" for number in range(count)]) == text


@pytest.mark.parametrize(("count", "text"), [(1, "1 more node"), (2, "2 more nodes"), (10, "10 more nodes")])
def test_a_count_of_the_rest(count, text):
    assert more(count, "node") == text


# Laws: whatever users and registries write.

HOSTILE = st.text(
    st.sampled_from("ab/:@.-_ \t\n\r\x00\x1b\x7f\x85\u2028\u202e\ufeff\U0001f600é\ud800"), max_size=400
) | st.text(max_size=400)


WHYS = [why for why in get_args(Why) if not why.startswith(("fits", "exempt"))]
OUTCOMES = st.builds(Outcome, st.sampled_from(["fails", "uncertain"]), st.sampled_from(WHYS)) | st.just(runs("fits"))
CODES = st.sampled_from(get_args(ErrorCode))
ERRORS = st.none() | st.builds(lambda code, where: (code, error_text(code, where)), CODES, HOSTILE)


IMAGES = st.builds(
    ImageFinding,
    HOSTILE,
    HOSTILE,
    platforms=st.lists(HOSTILE, max_size=9).map(tuple),
    error=ERRORS,
    stale=st.booleans(),
    role=st.sampled_from(get_args(ContainerRole)),
    on_crio=st.just("") | HOSTILE,
)


PLATFORMS = st.none() | st.builds(Platform, HOSTILE, HOSTILE, HOSTILE, HOSTILE)


GROUPS = st.lists(st.builds(Node, HOSTILE, PLATFORMS), min_size=1, max_size=5).map(NodeGroup.of) | st.builds(
    Node, st.none(), PLATFORMS
).map(lambda one: NodeGroup.of((one,)))


CONSTRAINTS = st.builds(
    PodConstraints,
    node_name=HOSTILE,
    node_selector=st.dictionaries(st.sampled_from(["kubernetes.io/arch", "kubernetes.io/os", "x"]), HOSTILE),
    runtime_class=HOSTILE,
)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    images = tuple(draw(st.lists(IMAGES, max_size=12)))
    outcomes = st.tuples(*[OUTCOMES] * len(images))
    nodes = draw(st.lists(st.builds(NodeFinding, GROUPS, outcomes), max_size=6))
    workload = Workload("v1", "Pod", draw(HOSTILE), draw(HOSTILE), "", (), draw(CONSTRAINTS))
    reason = draw(st.sampled_from(get_args(Reason)))
    told = Facts(workload, reason, images, tuple(nodes), draw(HOSTILE))
    return draw(
        st.sampled_from([told, replace(told, runtime_class="unknown"), replace(told, runtime_class="contradicted")])
    )


@given(facts())
def test_a_warning_is_one_line_of_256_characters_and_there_are_eight_at_most(told):
    """Design, section 5: "A warning is one line without control characters, at most 256 characters, at most 8 in an
    answer, the last one counting the rest"."""
    lines = warnings(told)
    assert 1 <= len(lines) <= 8
    for line in lines:
        assert line.isprintable()
        assert 0 < len(line) <= 256


@given(facts())
def test_a_denial_fits_a_terminal(told):
    """Design, section 5: "It fits on a terminal. A denial may have lines"; a name stays whole, so that only a line of
    one long word may be longer."""
    for line in denial(told).split("\n"):
        assert line.isprintable()
        assert len(line) <= WIDTH or " " not in line.strip()


@given(facts())
def test_the_same_facts_give_the_same_texts(told):
    assert denial(told) == denial(replace(told))
    assert warnings(told) == warnings(replace(told))


@given(HOSTILE, st.integers(8, 120))
def test_clean_text_is_printable_short_and_keeps_its_end(text, limit):
    cleaned = clean(text, limit)
    assert cleaned.isprintable()
    assert len(cleaned) <= limit
    printable = "".join(filter(str.isprintable, text))
    if len(printable) <= limit and len(text) <= 4 * limit:
        assert cleaned == printable
    else:
        assert "..." in cleaned


def test_cleaning_a_megabyte_looks_at_its_ends_only():
    assert clean("a" * 2_000_000 + ":tag") == f"{'a' * 58}...{'a' * 55}:tag"
