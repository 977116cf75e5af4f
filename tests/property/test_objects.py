"""Whatever is read as a Kubernetes object gives a value or MalformedObject, and nothing else."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.core.errors import MalformedObject
from webhook.core.kinds import JUDGED, FurtherKind, Kinds
from webhook.core.nodepools import NodePool, parse_node_pool
from webhook.core.scheduling import Node, RuntimeClass, parse_node, parse_runtime_class
from webhook.core.workload import Workload, parse_workload, what_matters

REVIEWS = Path(__file__).resolve().parent.parent / "admission" / "reviews"
RECORDED = [json.loads(path.read_bytes())["request"]["object"] for path in sorted(REVIEWS.glob("*.json"))]

NAMES = [
    "metadata", "name", "generateName", "labels", "annotations", "ownerReferences", "controller", "spec",
    "template", "jobTemplate", "suspend", "containers", "initContainers", "image", "volumes", "reference",
    "nodeSelector", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution",
    "nodeSelectorTerms", "matchExpressions", "values", "matchFields", "tolerations", "taints", "status",
    "nodeInfo", "scheduling", "os", "imagePullSecrets", "key",
]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.sampled_from(NAMES) | st.text(max_size=3) | st.integers()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)
FURTHER = Kinds([FurtherKind("example.io", "things", ("spec", "template"))])
kinds = st.sampled_from(
    [(f"{group}/v1" if group else "v1", kind) for group, kind in [*JUDGED, ("example.io", "Thing")]]
)


def read_further(obj: Any) -> Workload | None:
    """With a kind of the settings."""
    return parse_workload(obj, FURTHER)


def check(obj: Any) -> None:
    """Every reader: a value of its type, or MalformedObject whose text begins with the path."""
    readers: tuple[tuple[Any, type], ...] = ((parse_workload, Workload), (read_further, Workload), (parse_node, Node))
    for read, kind in (*readers, (parse_runtime_class, RuntimeClass), (parse_node_pool, NodePool)):
        refusal = None
        try:
            found = read(obj)
        except MalformedObject as error:
            refusal = error
        if refusal is None:
            assert found is None or isinstance(found, kind)
        else:
            assert str(refusal).startswith(refusal.path)
            assert refusal.problem


@given(anything)
def test_anything_at_all(obj):
    check(obj)


@given(kinds, st.dictionaries(keys, anything, max_size=6))
def test_anything_that_calls_itself_by_a_judged_kind(kind, rest):
    check({**rest, "apiVersion": kind[0], "kind": kind[1]})


@given(st.sampled_from([one for one in RECORDED if one]), st.data())
def test_a_recorded_object_with_one_value_replaced(obj, data):
    """The way down is drawn step by step, so that deep fields are reached as often as those at the top."""
    changed = json.loads(json.dumps(obj))
    at = changed
    while True:
        places: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not places:
            break
        place = data.draw(st.sampled_from(places))
        if isinstance(at[place], dict | list) and data.draw(st.integers(0, 4)):
            at = at[place]
            continue
        at[place] = data.draw(anything)
        break
    check(changed)


@given(
    st.sampled_from([one for one in RECORDED if one and one["kind"] != "Binding"]),
    st.sampled_from(["a", "b"]),
    st.text(),
)
def test_metadata_never_matters(obj, key, value):
    """design: an update is `unchanged` unless images or what shapes the candidates changed."""
    before = parse_workload(obj)
    after = parse_workload(
        {**obj, "metadata": {**obj["metadata"], "labels": {key: value}, "annotations": {key: value}}}
    )
    assert before is not None
    assert after is not None
    assert what_matters(before) == what_matters(after)
