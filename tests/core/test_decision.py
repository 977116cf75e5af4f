"""Decisions: the table of the design, section 5, row by row, and what settings and modes make of it."""

from dataclasses import replace
from itertools import permutations, product
from typing import get_args

import pytest

from webhook.core.decision import (
    Decision,
    Mode,
    NodeFinding,
    Policy,
    Reason,
    decide,
    effective_mode,
    of_daemon_set,
    reason_for,
    under,
)
from webhook.core.grouping import NodeGroup
from webhook.core.outcome import fails, runs, uncertain
from webhook.core.scheduling import Node
from webhook.core.workload import PodConstraints, Workload, parse_workload

POD = Workload("v1", "Pod", "team", "web", "", (), PodConstraints())
GATED = replace(POD, constraints=PodConstraints(gated=True))
DAEMON = replace(POD, owner=("apps/v1", "DaemonSet", "agent"), every_node=True)
SUSPENDED = replace(POD, api_version="batch/v1", kind="Job", suspended=True)
DAEMON_SET = replace(POD, api_version="apps/v1", kind="DaemonSet", every_node=True)

# What the candidates do, and which row of the table that is: for a pod, and for a DaemonSet.
TABLE: list[tuple[set[str], Reason, Reason]] = [
    (set(), "no-candidates", "no-candidates"),
    ({"runs"}, "match", "match"),
    ({"runs", "uncertain"}, "match", "match"),
    ({"runs", "fails"}, "partial", "mismatch"),
    ({"runs", "fails", "uncertain"}, "partial", "mismatch"),
    ({"fails"}, "mismatch", "mismatch"),
    ({"uncertain"}, "undetermined", "undetermined"),
    ({"fails", "uncertain"}, "undetermined", "undetermined"),
]


@pytest.mark.parametrize(("verdicts", "reason", "for_daemon_sets"), TABLE)
def test_the_row_of_the_table(verdicts, reason, for_daemon_sets):
    for order in permutations(sorted(verdicts)):
        for repeated in (list(order), list(order) * 3):
            assert reason_for(repeated) == reason
            assert reason_for(repeated, daemon_set=True) == for_daemon_sets


def test_the_table_has_every_row():
    assert {frozenset(verdicts) for verdicts, _, _ in TABLE} == {
        frozenset(verdict for verdict, there in zip(("runs", "fails", "uncertain"), bits, strict=True) if there)
        for bits in product([False, True], repeat=3)
    }


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((runs("fits"), runs("exempt")), "runs"),
        ((runs("fits"), uncertain("short-name")), "uncertain"),
        ((uncertain("not-pulled"), fails("config-mismatch")), "fails"),
    ],
)
def test_a_node_fails_if_any_image_fails_there(outcomes, verdict):
    assert NodeFinding(NodeGroup.of((Node("n", None),)), outcomes).verdict == verdict


@pytest.mark.parametrize(
    ("reason", "workload", "decision"),
    [
        ("match", POD, "allow"),
        ("skipped", POD, "allow"),
        ("partial", POD, "warn"),
        ("mismatch", POD, "deny"),
        ("undetermined", POD, "warn"),
        ("no-candidates", POD, "warn"),
        ("mismatch", DAEMON_SET, "deny"),
        # What can still be narrowed: partial is silent, and what fails everywhere is denied all the same.
        ("partial", GATED, "allow"),
        ("mismatch", GATED, "deny"),
        ("undetermined", GATED, "warn"),
        ("no-candidates", GATED, "warn"),
        ("partial", SUSPENDED, "allow"),
        ("mismatch", SUSPENDED, "deny"),
        # A pod of a DaemonSet is never denied: its controller would stop a whole batch.
        ("mismatch", DAEMON, "warn"),
        ("undetermined", DAEMON, "warn"),
        ("match", DAEMON, "allow"),
    ],
)
def test_the_default_decisions(reason, workload, decision):
    assert decide(reason, Policy(), workload) == decision


KEYS: list[tuple[Reason, str, Workload]] = [
    ("mismatch", "mismatch", POD),
    ("partial", "partial", POD),
    ("undetermined", "undetermined", POD),
    ("no-candidates", "no_candidates", POD),
    ("mismatch", "daemon_set_pods", DAEMON),
]


@pytest.mark.parametrize("wanted", get_args(Decision))
def test_settings_decide_each_reason_by_itself(wanted):
    calm = Policy("allow", "allow", "allow", "allow", "allow")
    for reason, field, workload in KEYS:
        policy = replace(calm, **{field: wanted})
        assert decide(reason, policy, workload) == wanted
        others = [other for other in get_args(Reason) if other != reason]
        assert {decide(other, policy, workload) for other in others} == {"allow"}


@pytest.mark.parametrize(
    ("owner", "kind", "is_one"),
    [
        (("apps/v1", "DaemonSet", "a"), "Pod", True),
        (("apps/v1beta2", "DaemonSet", "a"), "Pod", True),
        (("apps/v2", "DaemonSet", "a"), "Pod", True),
        (("apps.example/v1", "DaemonSet", "a"), "Pod", False),
        (("v1", "DaemonSet", "a"), "Pod", False),
        (("apps/v1", "ReplicaSet", "a"), "Pod", False),
        (("apps/v1", "DaemonSet", "a"), "Job", False),
        (None, "Pod", False),
    ],
)
def test_the_pods_of_a_daemon_set_are_told_by_group_and_kind_of_their_owner(owner, kind, is_one):
    owners = [] if owner is None else [{"apiVersion": owner[0], "kind": owner[1], "name": owner[2], "controller": True}]
    spec = {"containers": [{"name": "a", "image": "i"}]}
    inside = spec if kind == "Pod" else {"template": {"spec": spec}}
    workload = parse_workload(
        {
            "apiVersion": "v1" if kind == "Pod" else "batch/v1",
            "kind": kind,
            "metadata": {"name": "x", "ownerReferences": owners},
            "spec": inside,
        }
    )
    assert workload is not None
    assert of_daemon_set(workload) is is_one


@pytest.mark.parametrize(
    ("mode", "allow", "warn", "deny"),
    [
        ("deny", "allow", "warn", "deny"),
        ("warn", "allow", "warn", "warn"),
        ("audit", "allow", "allow", "allow"),
        ("off", "allow", "allow", "allow"),
    ],
)
def test_what_a_mode_makes_of_a_decision(mode, allow, warn, deny):
    assert (under(mode, "allow"), under(mode, "warn"), under(mode, "deny")) == (allow, warn, deny)


MODES: tuple[Mode, ...] = ("off", "audit", "warn", "deny")  # from lenient to strict


@pytest.mark.parametrize("default", MODES)
def test_a_namespace_label_overrides_the_mode_as_far_as_settings_trust_it(default):
    for label in MODES:
        assert effective_mode(default, label, "any") == label
        assert effective_mode(default, label, "ignored") == default
        assert effective_mode(default, label, "stricter") == max(default, label, key=MODES.index)
    for nothing in (None, "", "Deny", "deny ", "none", "true"):
        for trust in ("any", "stricter", "ignored"):
            assert effective_mode(default, nothing, trust) == default


@pytest.mark.parametrize("reason", ["partial", "undetermined", "no-candidates", "mismatch"])
def test_a_pod_of_a_daemon_set_is_denied_for_nothing_but_a_mismatch_that_is_to_be_denied(reason):
    """Design, section 5: its controller stops a whole batch at the first refusal."""
    strict = Policy(mismatch="deny", partial="deny", undetermined="deny", no_candidates="deny", daemon_set_pods="warn")
    assert decide(reason, strict, DAEMON) == "warn"
    expected = "deny" if reason == "mismatch" else "warn"
    assert decide(reason, replace(strict, daemon_set_pods="deny"), DAEMON) == expected
