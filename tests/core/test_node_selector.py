"""Node selectors: every operator, invalid requirements, fields; as the scheduler's own code has them."""

from collections.abc import Mapping

import pytest

from webhook.core.node_selector import LabelTest, RequiredNodes, term_problem
from webhook.core.scheduling import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)

LABELS = {"pool": "web", "empty": "", "cores": "8", "odd": "0x8", "big": "9223372036854775808", "padded": "+008"}


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        (("pool", "In", "a", "web"), True),
        (("pool", "In", "a"), False),
        (("missing", "In", "a", ""), False),
        (("empty", "In", ""), True),
        (("pool", "NotIn", "a"), True),
        (("pool", "NotIn", "web"), False),
        (("missing", "NotIn", "a"), True),
        (("empty", "NotIn", ""), False),
        (("pool", "Exists"), True),
        (("empty", "Exists"), True),
        (("missing", "Exists"), False),
        (("pool", "DoesNotExist"), False),
        (("missing", "DoesNotExist"), True),
        (("cores", "Gt", "7"), True),
        (("cores", "Gt", "8"), False),
        (("cores", "Lt", "9"), True),
        (("cores", "Lt", "8"), False),
        (("padded", "Gt", "7"), True),
        (("padded", "Lt", "9"), True),
        (("missing", "Gt", "0"), False),
        (("missing", "Lt", "1"), False),
        (("odd", "Gt", "0"), False),
        (("empty", "Lt", "1"), False),
        (("big", "Gt", "1"), False),
    ],
)
def test_operators(written, holds):
    key, operator, *values = written
    requirement = NodeSelectorRequirement(key, operator, tuple(values))
    assert term_problem(NodeSelectorTerm((requirement,))) == ""
    assert LabelTest(requirement).holds(LABELS) is holds


@pytest.mark.parametrize(
    "written",
    [
        ("pool", "In"),
        ("pool", "NotIn"),
        ("pool", "Exists", "web"),
        ("pool", "DoesNotExist", ""),
        ("cores", "Gt"),
        ("cores", "Gt", "1", "2"),
        ("cores", "Lt", "1.5"),
        ("cores", "Lt", " 4"),
        ("cores", "Gt", "-1"),  # an integer, but no label value, and the scheduler wants both
        ("cores", "Gt", "+5"),
        ("cores", "Lt", "1_000"),
        ("cores", "Lt", "\u0664"),
        ("cores", "Gt", "9223372036854775808"),
        ("pool", "in", "web"),
        ("pool", "", "web"),
        ("", "Exists"),
        ("a b", "Exists"),
        ("a/b/c", "Exists"),
        ("/x", "Exists"),
        ("kubernetes.io/", "Exists"),
        ("UPPER/x", "Exists"),
        ("a" * 64, "Exists"),
        ("a\n", "Exists"),
        ("pool", "In", "web", "a/b"),
        ("pool", "In", "x" * 64),
        ("pool", "In", "web\n"),
        ("pool", "NotIn", "\u00fc"),
    ],
)
def test_an_invalid_requirement_spoils_its_term_and_no_other(written):
    key, operator, *values = written
    bad = NodeSelectorTerm((NodeSelectorRequirement(key, operator, tuple(values)),))
    good = NodeSelectorTerm((NodeSelectorRequirement("pool", "In", ("web",)),))
    assert term_problem(bad)
    assert not RequiredNodes({}, NodeSelector((bad,))).admit("n1", LABELS)
    for terms in ((bad, good), (good, bad)):
        required = RequiredNodes({}, NodeSelector(terms))
        assert required.admit("n1", LABELS)
        assert required.problem
    assert not RequiredNodes({}, NodeSelector((NodeSelectorTerm(bad.expressions + good.expressions),))).admit(
        "n1", LABELS
    )


@pytest.mark.parametrize(
    ("terms", "admitted"),
    [
        ((), False),
        ((NodeSelectorTerm(),), False),
        ((NodeSelectorTerm(), NodeSelectorTerm((NodeSelectorRequirement("pool", "Exists"),))), True),
    ],
)
def test_an_empty_term_matches_nothing(terms, admitted):
    assert RequiredNodes({}, NodeSelector(terms)).admit("n1", LABELS) is admitted
    assert RequiredNodes({}, None).admit("n1", {})


@pytest.mark.parametrize(
    ("key", "operator", "values", "admitted"),
    [
        ("metadata.name", "In", ("n1",), True),
        ("metadata.name", "In", ("N1",), False),
        ("metadata.name", "NotIn", ("n2",), True),
        ("metadata.name", "In", ("n1", "n2"), False),
        ("metadata.name", "In", (), False),
        ("metadata.name", "Exists", (), False),
        ("spec.nodeName", "In", ("n1",), False),
        ("spec.nodeName", "In", ("",), True),  # the scheduler reads every other field as an empty string
        ("spec.nodeName", "NotIn", ("n1",), True),
    ],
)
def test_fields(key, operator, values, admitted):
    term = NodeSelectorTerm(fields=(NodeSelectorRequirement(key, operator, values),))
    assert RequiredNodes({}, NodeSelector((term,))).admit("n1", {}) is admitted


def test_a_node_is_compared_with_the_terms_that_name_it_alone(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    holds = LabelTest.holds

    def counted(self: LabelTest, labels: Mapping[str, str]) -> bool:
        asked.append(self.key)
        return holds(self, labels)

    monkeypatch.setattr(LabelTest, "holds", counted)
    numbers = range(1000)
    ready = NodeSelectorRequirement("ready", "In", ("yes",))
    by_host = (NodeSelectorTerm((NodeSelectorRequirement("host", "In", (f"n{n}",)), ready)) for n in numbers)
    names = (NodeSelectorRequirement("metadata.name", "In", (f"n{n}",)) for n in numbers)
    by_name = (NodeSelectorTerm((ready,), (name,)) for name in names)
    required = RequiredNodes({}, NodeSelector((*by_host, *by_name)))
    assert required.admit("n7", {"ready": "yes"})
    assert required.admit("x", {"ready": "yes", "host": "n7"})
    assert not required.admit("x", {"ready": "yes", "host": "x"})
    assert not required.admit("n7", {"ready": "no", "host": "n7"})
    assert len(asked) <= 6
