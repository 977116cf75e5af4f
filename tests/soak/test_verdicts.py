"""The verdict of `make soak` is one that can be missed: what it takes for right, wrong, grown and flat."""

import json
import random
from dataclasses import replace

import pytest

from tests.soak.__main__ import verdict
from tests.soak.figures import SHORT, Ending, figures
from tests.soak.judge import Judge
from tests.soak.measures import Sample, fitted_growth, window_growth
from tests.soak.questions import MATCH, MISMATCH, PARTIAL, UNKNOWN, Question, Questions, Right, Verdict, always
from tests.soak.sender import Result
from tests.soak.timeline import Timeline
from tests.soak.webhook import value
from tests.soak.world import World


def test_what_has_passed_may_count_for_as_long_as_its_slack():
    value = Timeline("a", slack=5.0)
    value.set("b", at=100.0)
    value.set("c", at=110.0)
    assert value.now == "c"
    assert value.during(90.0, 99.0) == {"a"}
    assert value.during(99.0, 100.0) == {"a", "b"}
    assert value.during(104.0, 104.5) == {"a", "b"}
    assert value.during(106.0, 109.0) == {"b"}
    assert value.during(114.0, 115.0) == {"b", "c"}
    assert value.during(116.0, 117.0) == {"c"}
    for at in range(1000, 2000):
        value.set(str(at), at=float(at))
    assert len(value._past) < 200
    assert value.during(1995.0, 1996.0) == {str(at) for at in range(1989, 1997)}


def answered(judge: Judge, verdict: Verdict, *, seconds: float = 0.1, status: int = 200, **changes: object) -> None:
    """What a webhook may have said to the judge's next review."""
    uid = json.loads(judge.next_review())["request"]["uid"]
    decision, reason = verdict
    response: dict[str, object] = {"uid": uid, "allowed": decision != "deny",
                                   "auditAnnotations": {"decision": decision, "reason": reason}}  # fmt: skip
    if decision == "deny":
        response["status"] = {"code": 403, "reason": "Forbidden", "message": "no"}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {**response, **changes}}
    judge.take(Result(1000.0, seconds, status, "application/json", json.dumps(body).encode(), ""))


def judge_of(right: Right) -> Judge:
    return Judge(lambda: Question("runs", "well.example/app:1", right), ["runs"], random.Random(1))


@pytest.mark.parametrize(
    ("right", "verdict", "counts"),
    [
        ((MATCH,), MATCH, (0, 0, 0)),
        ((MATCH,), MISMATCH, (1, 0, 0)),
        ((MATCH, UNKNOWN), MISMATCH, (1, 0, 0)),
        ((UNKNOWN,), MISMATCH, (1, 0, 0)),
        ((MISMATCH,), MATCH, (0, 1, 0)),
        ((MISMATCH, UNKNOWN), UNKNOWN, (0, 0, 0)),
        ((MATCH,), UNKNOWN, (0, 0, 1)),
        ((MISMATCH,), PARTIAL, (0, 0, 1)),
        ((MISMATCH, MATCH), UNKNOWN, (0, 0, 1)),
    ],
)
def test_an_answer_is_right_where_something_speaks_for_it(right, verdict, counts):
    judge = judge_of(always(*right))
    answered(judge, verdict)
    assert (judge.wrong_denials, judge.wrong_admissions, judge.wrong_otherwise) == counts
    assert len(judge.problems) == judge.kinds["runs"].wrong == sum(counts)


def test_what_is_no_answer_in_time_to_what_was_asked_is_counted():
    judge = judge_of(always(MATCH))
    answered(judge, MATCH, seconds=10.5)
    answered(judge, MATCH, uid="another")
    answered(judge, MATCH, status=500)
    answered(judge, MATCH, auditAnnotations={})
    answered(judge, MATCH, warnings=["two\nlines"])
    assert (judge.answered, judge.late, judge.lost, judge.malformed) == (4, 1, 1, 3)


@pytest.mark.parametrize(
    ("right", "verdict", "is_right", "counts"),
    [
        (MATCH, MATCH, True, (0, 0, 0)),
        (MATCH, UNKNOWN, False, (0, 0, 0)),
        (MATCH, MISMATCH, False, (1, 0, 0)),
        (MISMATCH, MATCH, False, (0, 1, 0)),
        (MATCH, PARTIAL, False, (0, 0, 1)),
    ],
)
def test_a_wrong_answer_counts_after_the_load_too(right: Verdict, verdict: Verdict, is_right, counts):
    judge = judge_of(always(right))
    decision, reason = verdict
    response = {"allowed": decision != "deny", "auditAnnotations": {"decision": decision, "reason": reason}}
    assert judge.is_right(Question("index-fits", "ill.example/app:1", always(right)), response) is is_right
    assert (judge.wrong_denials, judge.wrong_admissions, judge.wrong_otherwise) == counts
    assert len(judge.problems) == sum(counts)


def test_a_wrong_denial_is_told_of_whatever_went_before():
    judge = judge_of(always(MATCH))
    for _ in range(100):
        answered(judge, UNKNOWN)
    answered(judge, MISMATCH)
    assert len(judge.problems) < 100
    assert judge.problems[-1].startswith("wrong denial: ")


def test_a_metric_that_is_not_there_is_not_taken_for_zero():
    there = {("podgate_tasks", ()): 3.0, ("reloads", (("result", "applied"),)): 2.0}
    assert value(there, "podgate_tasks") == 3.0
    assert value(there, "reloads", result="refused") == 0.0
    with pytest.raises(LookupError):
        value(there, "podgate_task")


def test_every_kind_of_question_has_an_answer_that_is_right_at_any_time():
    world = World()
    questions = Questions(world, random.Random(1))
    for kind in questions.kinds:
        question = questions.of(kind)
        assert question.kind == kind
        assert question.right(1000.0, 1001.0)
    moving = {question.image: question for question in (questions.of("tag that moves") for _ in range(200))}
    assert {frozenset(one.right(0.0, 1.0)) for one in moving.values()} == {frozenset({MATCH}), frozenset({MISMATCH})}
    world.logins["red"].set(1, at=1000.0)
    own = next(one for one in iter(lambda: questions.of("private, runs"), None) if "/red/" in one.image)
    assert own.right(990.0, 991.0) == {MATCH}
    assert own.right(1020.0, 1021.0) == {MATCH, UNKNOWN}
    assert own.right(1040.0, 1041.0) == {MATCH}


def sample(at: float, rss: float = 100.0, descriptors: int = 20) -> Sample:
    return Sample(at, rss, rss, descriptors, 9, at / 2, at / 100, 29, 6.0, 0, 200)


def ending(**changes: object) -> Ending:
    """One with nothing to be said against it."""
    judge = judge_of(always(MATCH))
    for _ in range(200):
        answered(judge, MATCH)
    samples = [sample(float(at), 100.0 + at % 3) for at in range(100)]
    good = Ending(judge, samples, (sample(0.0), sample(100.0)), 1.0, 288, 288, 3.0, 0, 0, 0, 0, 78, 74, (8, 8), (3, 3),
                  0, 0.1, 0, 0)  # fmt: skip
    return replace(good, **changes)  # type: ignore[arg-type]  # a test names any of them


def missed(end: Ending) -> list[str]:
    return [figure.name for figure in figures(end) if not figure.ok]


def test_nothing_is_missed_where_all_is_well():
    assert missed(ending()) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"samples": [sample(float(at), 100 + at / 12) for at in range(100)]}, "memory (RSS), last quarter"),
        ({"samples": [sample(float(at), 100 + at / 12) for at in range(100)]}, "memory (RSS), rise of a line"),
        ({"rests": (sample(0.0), sample(100.0, 106.0))}, "memory (RSS) at rest, at the end"),
        ({"rests": (sample(0.0), sample(100.0, descriptors=25))}, "file descriptors at rest, at the end"),
        ({"sent_seconds": 1.2}, "reviews a second"),
        ({"recovered": 287}, "images right at last"),
        ({"met": 38}, "faults that podgate met"),
        ({"internal_errors": 1}, "reviews let through unchecked: podgate failed"),
        ({"logged": 1}, "lines logged as errors"),
        ({"trespassers": 1}, "connections to an address"),
        ({"reloads": (7, 8)}, "settings taken over"),
        ({"refusals": (2, 3)}, "settings refused"),
        ({"wrong_certificates": 1}, "certificates at the end"),
        ({"refused_connections": 1}, "new connections that failed"),
        ({"exit_code": 1}, "exit code"),
    ],
)
def test_each_miss_is_shown(changes: dict[str, object], name: str):
    assert any(one.startswith(name) for one in missed(ending(**changes)))


@pytest.mark.parametrize(
    ("changes", "short", "long"),
    [
        ({}, 0, 0),
        ({"samples": [sample(float(at), 100 + at / 12) for at in range(100)]}, 0, 1),
        ({"rests": (sample(0.0), sample(100.0, 106.0))}, 0, 1),
        ({"rests": (sample(0.0), sample(100.0, 126.0))}, 1, 1),
        ({"sent_seconds": 1.2}, 0, 1),
        ({"rests": (sample(0.0), sample(100.0, descriptors=24))}, 0, 0),
        ({"rests": (sample(0.0), sample(100.0, descriptors=25))}, 1, 1),
        ({"recovered": 287, "sent_seconds": 1.2}, 1, 1),
        ({"internal_errors": 1}, 1, 1),
    ],
)
def test_a_short_run_fails_for_counts_alone(changes: dict[str, object], short: int, long: int, capsys):
    found = figures(ending(**changes))
    assert verdict(found, SHORT - 0.1) == short
    told = capsys.readouterr().out
    assert all(name in told for name in missed(ending(**changes)) if short == 0)
    assert verdict(found, SHORT) == long
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("waited", "short"), [(0.49, 1), (0.51, 0)])
def test_a_short_run_without_a_core_says_nothing_and_says_so(waited: float, short: int, capsys):
    samples = [replace(sample(float(at)), waited=waited * at) for at in range(100)]
    found = figures(ending(samples=samples, internal_errors=1))
    assert verdict(found, SHORT - 0.1) == short
    assert ("had no core for 51 percent of the time" in capsys.readouterr().out) == (short == 0)
    assert verdict(found, SHORT) == 1


@pytest.mark.parametrize(("right", "wrong"), [(MATCH, MISMATCH), (MISMATCH, MATCH), (MATCH, UNKNOWN)])
def test_a_wrong_answer_fails_a_run_of_any_length(right: Verdict, wrong: Verdict):
    judge = judge_of(always(right))
    for answer in (*[right] * 200, wrong):
        answered(judge, answer)
    found = figures(ending(judge=judge))
    assert [verdict(found, minutes) for minutes in (5, 60)] == [1, 1]


def test_growth_is_told_from_what_comes_and_goes():
    saw = [sample(float(at), 100.0 + 20 * (at % 4 == 0)) for at in range(200)]
    assert abs(window_growth(saw, lambda one: one.rss)) < 1
    assert abs(fitted_growth(saw, lambda one: one.rss)) < 1
    leak = [sample(float(at), 100.0 + at / 10) for at in range(200)]
    assert window_growth(leak, lambda one: one.rss) == pytest.approx(14.6, abs=0.5)
    assert fitted_growth(leak, lambda one: one.rss) == pytest.approx(19.9, abs=0.1)
