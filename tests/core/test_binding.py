"""Bindings as values: what a request says, and what follows for it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.messages import AMD, ARM_ONE, POD
from tests.support.serving import RECORDED
from webhook.core.binding import Binding, as_chosen, bound, decide_binding, parse_binding, unchecked
from webhook.core.decision import Policy
from webhook.core.errors import MalformedObject
from webhook.core.message import Facts, denial
from webhook.core.workload import PodConstraints


@pytest.mark.parametrize(
    ("name", "binding"),
    [
        ("CREATE-Binding-binding", Binding("rv-adm", "bindtest", "061b4f6d-5910-43e8-a1ad-8513ba83ef35", "rv-arm-1")),
        ("CREATE-Binding-by-bindings", Binding("rec", "lone", "", "amd-1")),
    ],
)
def test_the_recorded_reviews(name: str, binding: Binding):
    request = RECORDED[name]["request"]
    assert parse_binding(request["object"], request["namespace"], request["name"]) == binding


@pytest.mark.parametrize(
    ("obj", "found"),
    [
        ({"metadata": {}, "target": {"name": "n"}}, Binding("team", "web", "", "n")),
        ({"metadata": {"name": "other"}, "target": {"name": "n"}}, Binding("team", "other", "", "n")),
        ({"target": {"kind": "Node", "name": "n"}}, Binding("team", "web", "", "n")),
        # k8s.io/kubernetes, ValidatePodBinding: nothing but a Node is a target
        ({"target": {"kind": "Pod", "name": "n"}}, None),
    ],
)
def test_forms_of_a_binding(obj: Any, found: Binding | None):
    assert parse_binding(obj, "team", "web") == found


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        ({"metadata": {"name": "web"}}, "target"),
        ({"target": {"kind": "Node"}}, "target.name"),
        ({"target": {"name": 7}}, "target.name"),
        ({"target": "n"}, "target"),
        ({"metadata": [], "target": {"name": "n"}}, "metadata"),
    ],
)
def test_what_is_no_binding(obj: Any, path: str):
    with pytest.raises(MalformedObject) as caught:
        parse_binding(obj, "team", "web")
    assert caught.value.path == path


def test_a_binding_without_any_name_of_a_pod():
    with pytest.raises(MalformedObject) as caught:
        parse_binding({"target": {"name": "n"}}, "team", "")
    assert caught.value.path == "metadata.name"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "target", "name", "kind", "uid"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "target", "kind", "apiVersion"]), VALUES))
def test_whatever_comes_is_a_binding_or_none_or_malformed(obj: dict[str, Any]):
    try:
        found = parse_binding(obj, "team", "web")
    except MalformedObject:
        return
    assert found is None or (found.pod != "" and found.node != "" and found.namespace == "team")


AGENT = replace(POD, owner=("apps/v1", "DaemonSet", "agent"), every_node=True)


@pytest.mark.parametrize(
    ("reason", "policy", "pod", "mismatch", "decision"),
    [
        ("match", {}, POD, "deny", "allow"),
        ("mismatch", {}, POD, "warn", "warn"),
        ("mismatch", {}, POD, "deny", "deny"),
        # the setting is about this very thing, whatever happens at admission
        ("mismatch", {"mismatch": "allow"}, POD, "deny", "deny"),
        # what is not known is never refused
        ("undetermined", {}, POD, "deny", "warn"),
        ("undetermined", {"undetermined": "deny"}, POD, "deny", "warn"),
        ("undetermined", {"undetermined": "allow"}, POD, "deny", "allow"),
        ("no-candidates", {"no_candidates": "deny"}, POD, "deny", "warn"),
        ("no-candidates", {"no_candidates": "allow"}, POD, "warn", "allow"),
        ("mismatch", {}, AGENT, "deny", "warn"),
        ("mismatch", {"daemon_set_pods": "deny"}, AGENT, "deny", "deny"),
        ("mismatch", {"daemon_set_pods": "deny"}, AGENT, "warn", "warn"),
        ("mismatch", {"daemon_set_pods": "allow"}, AGENT, "deny", "allow"),
    ],
)
def test_what_follows_for_a_binding(reason: Any, policy: dict[str, Any], pod: Any, mismatch: Any, decision: str):
    assert decide_binding(reason, Policy(**policy), pod, mismatch) == decision


def test_a_bound_pod_demands_nothing_more_of_its_node():
    pod = replace(POD, constraints=PodConstraints(node_selector={"a": "b"}, os_name="linux", pull_secrets=("s",)))
    there = bound(pod, "n")
    assert there.constraints == replace(pod.constraints, node_name="n")
    chosen = as_chosen(there.constraints)
    assert (chosen.node_name, chosen.node_selector, chosen.affinity) == ("n", {}, None)
    assert (chosen.os_name, chosen.pull_secrets) == ("linux", ("s",))


def test_the_warning_where_it_could_not_be_judged():
    text = unchecked(Binding("team", "web", "", "arm-1"), "there is no such pod")
    assert text == "podgate: Pod web: not checked on the node arm-1 that it is bound to: there is no such pod"


def test_that_warning_is_one_short_line_whatever_is_named():
    text = unchecked(Binding("team", "w\n" * 500, "", "n\x1b[2J" * 100), "\r\nproblem " * 100)
    assert text.isprintable()
    assert len(text) <= 256


def test_a_denial_gives_no_advice_on_the_field_that_the_scheduler_fills_in():
    workload = replace(POD, constraints=PodConstraints(node_name="arm-1"))
    facts = Facts(workload, "mismatch", (AMD,), (ARM_ONE,))
    assert "change spec.nodeName" in denial(facts)
    told = denial(replace(facts, binding=True))
    assert "spec.nodeName" not in told
    assert "cannot run on the node it is bound to" in told
    assert "run it on linux/amd64 nodes: add nodeSelector kubernetes.io/arch: amd64." in " ".join(told.split())
