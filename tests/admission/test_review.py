"""review(): what is judged, what is let through, and what becomes of a judgement."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.serving import RECORDED, changed
from webhook.admission.review import Reviewer, Surroundings, answer_for
from webhook.admission.reviews import Answer, ReviewRequest, parse_review
from webhook.core.binding import Binding
from webhook.core.decision import Judgement
from webhook.core.kinds import FurtherKind, Kinds
from webhook.core.workload import Workload
from webhook.ports import Observation
from webhook.service import Request


class Judging:
    """Keeps what it is asked, and denies it."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def judge(self, request: Request) -> Judgement:
        self.asked.append(request)
        return Judgement(request.workload, "deny", "mismatch", "deny", ("no",))


class JudgingBindings:
    """Keeps what it is asked, and warns of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Binding, float | None]] = []

    async def judge(self, binding: Binding, deadline: float | None) -> Judgement:
        self.asked.append((binding, deadline))
        return Judgement(binding.named, "warn", "mismatch", "deny", ("no",))


class Observing:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Observation] = []

    def decided(self, observation: Observation) -> None:
        self.told.append(observation)


def request_of(review: dict[str, Any]) -> ReviewRequest:
    parsed = parse_review(review)
    assert parsed is not None
    return parsed


async def reviewed(
    review: dict[str, Any], surroundings: Surroundings | None = None
) -> tuple[Answer, list[Request], list[Observation]]:
    judge, observer = Judging(), Observing()
    answer = await Reviewer(judge, observer, surroundings).review(request_of(review), 12.5)
    return answer, judge.asked, observer.told


NOT_JUDGED = {"CREATE-Binding-binding", "CREATE-Binding-by-bindings", "DELETE-Pod"}


@pytest.mark.parametrize("name", RECORDED)
async def test_what_is_judged_of_the_recorded_reviews(name: str):
    answer, asked, told = await reviewed(RECORDED[name])
    request = RECORDED[name]["request"]
    if name in NOT_JUDGED:
        assert (answer.allowed, answer.warnings, asked, told) == (True, (), [], [])
        assert answer.annotations == {"decision": "allow", "reason": "skipped"}
        return
    [one] = asked
    assert (one.workload.kind, one.workload.namespace) == (request["kind"]["kind"], request["namespace"])
    assert one.workload.name == request["name"]
    assert (one.old is not None) is (request["operation"] == "UPDATE")
    assert one.deadline == 12.5
    assert answer == Answer(False, "no", (), {"decision": "deny", "reason": "mismatch"})
    assert [(each.uid, each.dry_run) for each in told] == [(request["uid"], request["dryRun"])]


BINDINGS = {
    "CREATE-Binding-binding": ("bindtest", "061b4f6d-5910-43e8-a1ad-8513ba83ef35", "rv-arm-1"),
    "CREATE-Binding-by-bindings": ("lone", "", "amd-1"),
}


async def binding_reviewed(
    review: dict[str, Any], surroundings: Surroundings | None = None
) -> tuple[Answer, list[tuple[Binding, float | None]], list[Observation]]:
    bindings, observer = JudgingBindings(), Observing()
    reviewer = Reviewer(Judging(), observer, surroundings, bindings)
    return await reviewer.review(request_of(review), 12.5), bindings.asked, observer.told


@pytest.mark.parametrize("name", BINDINGS)
async def test_where_bindings_are_judged_both_of_their_resources_are(name: str):
    answer, asked, told = await binding_reviewed(RECORDED[name])
    pod, uid, node = BINDINGS[name]
    assert asked == [(Binding(RECORDED[name]["request"]["namespace"], pod, uid, node), 12.5)]
    assert answer == Answer(True, "", ("no",), {"decision": "warn", "reason": "mismatch"})
    [one] = told
    assert (one.binding, one.kind, one.judgement.workload.kind) == (True, "Binding", "Pod")


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE"},
        {"object": None},
        {"resource": {"group": "example.com", "version": "v1", "resource": "bindings"}, "subResource": ""},
        {"object": {"metadata": {"name": "web"}, "target": {"kind": "Pod", "name": "n"}}},
    ],
)
async def test_what_is_no_binding_to_a_node_is_let_through(fields: dict[str, Any]):
    answer, asked, told = await binding_reviewed(changed("CREATE-Binding-binding", **fields))
    assert (answer.allowed, answer.warnings, asked, told) == (True, (), [], [])


async def test_a_binding_without_its_form_is_let_through_with_a_warning_that_names_the_field():
    review = changed("CREATE-Binding-binding", object={"metadata": {"name": "web"}, "target": {"name": 7}})
    answer, asked, _ = await binding_reviewed(review)
    assert (answer.allowed, asked) == (True, [])
    assert "target.name" in answer.warnings[0]


async def test_no_binding_is_judged_before_the_nodes_are_listed():
    answer, asked, _ = await binding_reviewed(RECORDED["CREATE-Binding-binding"], Surroundings(lambda: False))
    assert (answer.allowed, len(answer.warnings), asked) == (True, 1, [])


@pytest.mark.parametrize(
    ("fields", "judged"),
    [
        ({"operation": "CREATE"}, True),
        ({"operation": "UPDATE"}, True),
        ({"operation": "DELETE"}, False),
        ({"operation": "CONNECT"}, False),
        ({"operation": "UPDATE", "subResource": "ephemeralcontainers"}, True),
        ({"operation": "UPDATE", "subResource": "status"}, False),
        ({"operation": "UPDATE", "subResource": "resize"}, False),
        ({"operation": "CREATE", "subResource": "eviction"}, False),
        ({"object": None}, False),
        ({"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}}, False),
    ],
)
async def test_operations_and_subresources(fields: dict[str, Any], judged: bool):
    answer, asked, _ = await reviewed(changed("CREATE-Pod", **fields))
    assert bool(asked) is judged
    assert answer.allowed is not judged


@pytest.mark.parametrize(
    ("groups", "operation", "mirror"),
    [
        (["system:nodes", "system:authenticated"], "CREATE", True),
        (["system:nodes"], "UPDATE", False),
        (["system:authenticated"], "CREATE", False),
        (["system:nodes:x"], "CREATE", False),
        ("system:nodes", "CREATE", False),
        (None, "CREATE", False),
    ],
)
async def test_a_mirror_pod_is_told_by_its_requester(groups: object, operation: str, mirror: bool):
    review = changed("CREATE-Pod", userInfo={"groups": groups}, operation=operation)
    review["request"]["object"]["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    _, [asked], _ = await reviewed(review)
    assert (asked.mirror, asked.workload.mirror) == (mirror, False)


async def test_an_object_without_its_form_is_let_through_with_a_warning_that_names_the_field():
    unread: list[int] = []
    review = changed("CREATE-Pod")
    review["request"]["object"]["spec"]["containers"] = "none"
    answer, asked, told = await reviewed(review, Surroundings(unreadable=lambda: unread.append(1)))
    assert (answer.allowed, asked, told, unread) == (True, [], [], [1])
    assert "spec.containers" in answer.warnings[0]
    assert answer.annotations == {"decision": "allow", "reason": "not-understood"}


def rollout(**spec: Any) -> dict[str, Any]:
    """A review of a Rollout, in a namespace that only the request names."""
    obj = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"}, "spec": spec}
    resource = {"group": "argoproj.io", "version": "v1alpha1", "resource": "rollouts"}
    return changed("CREATE-Pod", object=obj, resource=resource, namespace="team")


async def test_a_further_kind_is_judged_where_settings_name_it():
    kinds = Kinds([FurtherKind("argoproj.io", "rollouts", ("spec", "template"))])
    template = {"spec": {"containers": [{"image": "reg.example/app:1"}]}}
    _, [asked], _ = await reviewed(rollout(template=template), Surroundings(kinds=kinds))
    assert (asked.workload.kind, asked.workload.namespace, asked.mirror) == ("Rollout", "team", False)
    assert [image.image for image in asked.workload.images] == ["reg.example/app:1"]
    answer, asked_nothing, _ = await reviewed(rollout(template=template))
    assert (answer.allowed, asked_nothing) == (True, [])


async def test_a_further_kind_that_cannot_be_read_is_let_through_with_a_warning():
    kinds = Kinds([FurtherKind("argoproj.io", "rollouts", ("spec", "template"))])
    answer, asked, _ = await reviewed(rollout(template={"spec": {"containers": [7]}}), Surroundings(kinds=kinds))
    assert (answer.allowed, asked) == (True, [])
    assert "spec.template.spec.containers[0]: must be an object, not a number" in answer.warnings[0]


async def test_a_former_state_that_cannot_be_read_counts_as_none():
    review = changed("UPDATE-Pod")
    review["request"]["oldObject"]["spec"]["containers"] = 7
    _, [asked], _ = await reviewed(review)
    assert asked.old is None


@pytest.mark.parametrize("quiet", [False, True])
async def test_before_the_nodes_are_listed_nothing_is_judged(quiet: bool):
    answer, asked, told = await reviewed(RECORDED["CREATE-Pod"], Surroundings(lambda: False, quiet))
    assert (answer.allowed, asked, told) == (True, [], [])
    assert len(answer.warnings) == (0 if quiet else 1)
    assert answer.annotations == {"decision": "warn", "reason": "undetermined"}
    # what would not be judged anyway needs no nodes
    answer, _, _ = await reviewed(RECORDED["DELETE-Pod"], Surroundings(lambda: False))
    assert answer.warnings == ()


async def test_an_observer_that_raises_changes_no_verdict(caplog: pytest.LogCaptureFixture):
    class Raising:
        def decided(self, observation: Observation) -> None:
            raise RuntimeError("no disk")

    answer = await Reviewer(Judging(), Raising()).review(request_of(RECORDED["CREATE-Pod"]), 1.0)
    assert answer.allowed is False
    assert "could not be counted" in caplog.text


async def test_a_judge_that_raises_is_not_hidden_from_the_server():
    class Raising(Judging):
        async def judge(self, request: Request) -> Judgement:
            await asyncio.sleep(0)
            raise LookupError

    with pytest.raises(LookupError):
        await Reviewer(Raising(), Observing()).review(request_of(RECORDED["CREATE-Pod"]), 1.0)


@pytest.mark.parametrize(
    ("decision", "mode", "answer"),
    [
        ("allow", "deny", Answer(annotations={"decision": "allow", "reason": "partial"})),
        ("warn", "warn", Answer(warnings=("a", "b"), annotations={"decision": "warn", "reason": "partial"})),
        ("deny", "deny", Answer(False, "a\nb", (), {"decision": "deny", "reason": "partial"})),
        # mode audit: annotations alone, whatever texts there are
        ("allow", "audit", Answer(annotations={"decision": "allow", "reason": "partial"})),
    ],
)
async def test_a_judgement_as_an_answer(decision: Any, mode: Any, answer: Answer):
    _, [asked], _ = await reviewed(RECORDED["CREATE-Pod"])
    workload: Workload = replace(asked.workload, name="web")
    assert answer_for(Judgement(workload, decision, "partial", mode, ("a", "b"))) == answer
