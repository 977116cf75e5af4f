"""Laws of scheduling, each with the clause it proves, over generated nodes and pods."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core import grouping
from webhook.core.candidates import Admission, candidates, demanded_platforms
from webhook.core.grouping import WIDE, NodeGroup, NodeIndex
from webhook.core.narrowing import Narrowing, narrow
from webhook.core.node_selector import LabelTest, RequiredNodes, term_problem
from webhook.core.platform import Platform
from webhook.core.scheduling import Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration
from webhook.core.workload import PodConstraints

KEYS = {
    "kubernetes.io/arch": ["amd64", "arm64", "arm"],
    "kubernetes.io/os": ["linux", "windows"],
    "kubernetes.io/hostname": ["n1", "n2", "n3"],
    "cores": ["4", "8", "x", ""],
}
keys = st.sampled_from(list(KEYS))
labels = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in KEYS.items()})


@st.composite
def requirements(draw: st.DrawFn) -> NodeSelectorRequirement:
    key = draw(keys)
    operator = draw(st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]))
    if operator in ("In", "NotIn"):
        return NodeSelectorRequirement(key, operator, tuple(draw(st.lists(st.sampled_from(KEYS[key]), min_size=1))))
    return NodeSelectorRequirement(key, operator, ("5",) if operator in ("Gt", "Lt") else ())


invalid = st.builds(NodeSelectorRequirement, keys, st.sampled_from(["In", "Gt", "", "in"]))
named = st.builds(
    NodeSelectorRequirement,
    st.just("metadata.name"),
    st.sampled_from(["In", "NotIn"]),
    st.tuples(st.sampled_from(["n1", "n2"])),
)
terms = st.builds(
    NodeSelectorTerm,
    st.lists(requirements() | requirements() | requirements() | invalid, max_size=3).map(tuple),
    st.lists(named, max_size=1).map(tuple),
)
selectors = st.lists(terms, max_size=3).map(lambda found: NodeSelector(tuple(found)))
node_names = st.sampled_from(["n1", "n2", "n3"])
taints = st.builds(
    Taint, st.sampled_from(["a", "b"]), st.sampled_from(["", "1"]), st.sampled_from(["NoSchedule", "NoExecute"])
)
tolerations = st.builds(
    Toleration,
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "Equal", "Exists", "Lt"]),
    st.sampled_from(["", "1"]),
    st.sampled_from(["", "NoSchedule", "NoExecute"]),
)
nodes = st.builds(
    Node,
    node_names,
    st.just(Platform("linux", "amd64")),
    labels=labels,
    taints=st.lists(taints, max_size=2).map(tuple),
)
pods = st.builds(
    PodConstraints,
    node_name=st.sampled_from(["", "", "n1", "n9"]),
    node_selector=labels,
    affinity=st.none() | selectors,
    tolerations=st.lists(tolerations, max_size=2).map(tuple),
)


@given(selectors, selectors, node_names, labels)
def test_terms_are_ored(one, other, name, found):
    """core/v1 NodeSelector: "A node selector represents the union of the results of one or more label queries"."""
    both = RequiredNodes({}, NodeSelector(one.terms + other.terms)).admit(name, found)
    assert both == (RequiredNodes({}, one).admit(name, found) or RequiredNodes({}, other).admit(name, found))


@given(terms, terms, node_names, labels)
def test_requirements_are_anded(one, other, name, found):
    """core/v1 NodeSelectorTerm: "The requirements of them are ANDed", matchExpressions and matchFields alike."""
    both = NodeSelectorTerm(one.expressions + other.expressions, one.fields + other.fields)
    apart = [term for term in (one, other) if term != NodeSelectorTerm()]
    admitted = RequiredNodes({}, NodeSelector((both,))).admit(name, found)
    assert admitted == (
        bool(apart) and all(RequiredNodes({}, NodeSelector((term,))).admit(name, found) for term in apart)
    )


@given(labels, selectors, node_names, labels)
def test_node_selector_and_affinity_are_anded(wanted, affinity, name, found):
    """core/v1 PodSpec.nodeSelector: "Selector which must match a node's labels for the pod to be scheduled"."""
    both = RequiredNodes(wanted, affinity).admit(name, found)
    assert both == (RequiredNodes(wanted, None).admit(name, found) and RequiredNodes({}, affinity).admit(name, found))


@given(requirements(), labels)
def test_operators_come_in_opposites(requirement, found):
    """pkg/labels Requirement.Matches: "DoesNotExist or NotIn and Labels does not have the Requirement's key"."""
    opposite = {"In": "NotIn", "Exists": "DoesNotExist"}.get(requirement.operator)
    if opposite is not None:
        other = NodeSelectorRequirement(requirement.key, opposite, requirement.values)
        assert LabelTest(requirement).holds(found) != LabelTest(other).holds(found)
    if requirement.operator in ("In", "Exists", "Gt", "Lt"):
        assert not LabelTest(requirement).holds({})
    assert term_problem(NodeSelectorTerm((requirement,))) == ""


@given(pods, st.lists(nodes, max_size=5), tolerations)
def test_candidates_are_some_of_the_nodes_and_tolerating_more_loses_none(pod, given_nodes, more):
    """core/v1 Toleration: "The pod this Toleration is attached to tolerates any taint that matches the triple"."""
    found = candidates(pod, given_nodes)
    assert list(found) == [one for one in given_nodes if any(one is same for same in found)]
    tolerant = PodConstraints(pod.node_name, pod.node_selector, pod.affinity, (*pod.tolerations, more))
    assert {id(one) for one in found} <= {id(one) for one in candidates(tolerant, given_nodes)}
    assert all(pod.node_name in ("", one.name) for one in found)


@given(pods, st.lists(nodes, max_size=8), st.booleans(), st.sampled_from([0, 2, WIDE]))
def test_groups_hold_the_candidates_and_what_decides_is_the_same_in_each(pod, given_nodes, daemon_set, wide):
    """design: "Nodes are grouped by what constraints can see (platform, runtime, relevant labels, taints)"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "WIDE", wide)  # so that few nodes have both kinds of labels
        groups = NodeIndex(given_nodes).candidates(Admission(pod, daemon_set=daemon_set))
    placed = sorted((pair for group in groups for pair in group.placed()), key=lambda pair: pair[0])
    found = candidates(pod, given_nodes, daemon_set=daemon_set)
    assert [id(node) for _, node in placed] == [id(node) for node in found]
    assert all(given_nodes[place] is node for place, node in placed)
    for group in groups:
        assert len({(node.platform, node.taints) for node in group}) == 1


def narrowing(running: list[Node], failing: list[Node]) -> Narrowing | None:
    """Advice, with each node a group of its own."""
    return narrow(*([NodeGroup.of((one,)) for one in side] for side in (running, failing)))


@given(st.lists(nodes, max_size=4), st.lists(nodes, max_size=4))
def test_narrowing_keeps_what_runs_and_nothing_that_fails(running, failing):
    """design: `partial` comes "with the nodeSelector or affinity that would narrow it"."""
    advice = narrowing(running, failing)
    if advice is None:
        return
    affinity = NodeSelector((NodeSelectorTerm(advice.requirements),)) if advice.requirements else None
    assert bool(advice.node_selector) != bool(advice.requirements)
    narrowed = RequiredNodes(advice.node_selector, affinity)
    assert all(narrowed.admit(one.name, one.labels) for one in running)
    assert not any(narrowed.admit(one.name, one.labels) for one in failing)


@given(st.lists(nodes, min_size=1, max_size=4), st.lists(nodes, min_size=1, max_size=4))
def test_an_architecture_that_separates_is_advised(running, failing):
    """An architecture holds for nodes to come as well, so that it goes before everything else."""
    kept = {one.labels.get("kubernetes.io/arch") for one in running}
    if None in kept or kept & {one.labels.get("kubernetes.io/arch") for one in failing}:
        return
    assert "kubernetes.io/arch" in str(narrowing(running, failing))


@given(pods)
def test_stand_ins_are_what_the_pod_demands(pod):
    """design: "the platforms that the pod's own constraints demand stand in for nodes"."""
    told = ("kubernetes.io/os", "kubernetes.io/arch")
    about = [
        NodeSelectorTerm(tuple(one for one in term.expressions if one.key in told))
        for term in RequiredNodes(pod.node_selector, pod.affinity).usable_terms()
    ]
    for stand_in in demanded_platforms(pod):
        assert stand_in.platform is not None
        assert stand_in.name is None
        assert any(all(LabelTest(one).holds(stand_in.labels) for one in term.expressions) for term in about)
        assert all(stand_in.labels.get(key) == value for key, value in pod.node_selector.items())


@given(pods, st.sampled_from(KEYS["kubernetes.io/arch"]))
def test_an_architecture_in_the_selector_is_the_only_one(pod, architecture):
    """spec.nodeSelector is ANDed with every term, so that no other architecture can be demanded."""
    selector: dict[str, Any] = {**pod.node_selector, "kubernetes.io/arch": architecture}
    found = demanded_platforms(PodConstraints(node_selector=selector, affinity=pod.affinity))
    assert {one.labels["kubernetes.io/arch"] for one in found} <= {architecture}


@pytest.mark.parametrize("admitted", [True, False])
def test_the_generators_reach_both_answers(admitted):
    """The laws above would prove nothing of a generator that only ever made pods which fit nowhere."""
    from hypothesis import find  # noqa: PLC0415 - beside its one use: it is no part of the laws

    pair = find(st.tuples(pods, nodes), lambda both: bool(candidates(both[0], [both[1]])) is admitted)
    assert bool(candidates(pair[0], [pair[1]])) is admitted
