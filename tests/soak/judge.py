"""Each answer, compared with what was right at its time."""

import random
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.soak.questions import UNKNOWN, Question, Verdict, review
from tests.soak.sender import Result
from tests.support.serving import response_of

TIMEOUT: Final = 10.0
"""Seconds that the API server waits for an answer, by its default."""
_MOST_TOLD: Final = 20
"""Wrong answers of one sort that are told of in full."""


@dataclass
class OfKind:
    """The answers to the questions of one kind. `wrong`: those that nothing speaks for."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    wrong: int = 0

    @property
    def count(self) -> int:
        """All answers."""
        return self.verdicts.total()


class Judge:
    """Makes reviews, and judges what becomes of them. `wrong_denials`: pods that are denied although they would run, or
    although it cannot be known; `wrong_admissions`: pods that are let in without a word although they would not."""

    def __init__(self, draw: Callable[[], Question], kinds: Sequence[str], chance: random.Random) -> None:
        self._draw = draw
        self._chance = chance
        self._number = 0
        self._asked: dict[str, Question] = {}
        self.kinds = {kind: OfKind() for kind in kinds}
        self.seconds = array("f")
        self.lost = self.late = self.malformed = 0
        self.wrong_denials = self.wrong_admissions = self.wrong_otherwise = 0
        self.problems: list[str] = []
        self._told: Counter[str] = Counter()

    @property
    def answered(self) -> int:
        """Reviews that were answered."""
        return len(self.seconds)

    def next_review(self) -> bytes:
        """One that was never sent before."""
        self._number += 1
        question = self._draw()
        uid, body = review(question, self._number, self._chance)
        self._asked[uid] = question
        return body

    def take(self, result: Result) -> None:
        """Judges a result at once: what is right now is not right for ever."""
        if result.status != 200:
            self.lost += 1
            self._tell("lost", f"{result.status} {result.problem}")
            return
        self.seconds.append(result.seconds)
        self.late += result.seconds > TIMEOUT
        try:
            response = response_of(result.status, result.content_type, result.body)
            question = self._asked.pop(response["uid"])
            verdict = _verdict(response)
        except (AssertionError, LookupError, ValueError) as error:
            self.malformed += 1
            self._tell("no answer to what was asked", f"{error!r} {result.body[:300]!r}")
            return
        self._judge(question, verdict, response, result)

    def _judge(self, question: Question, verdict: Verdict, response: dict[str, Any], result: Result) -> None:
        kind = self.kinds[question.kind]
        kind.verdicts[verdict] += 1
        right = question.right(result.begin, result.end)
        if verdict in right and response["allowed"] == (verdict[0] != "deny"):
            return
        kind.wrong += 1
        self._wrong(question, right, response, f"after {result.seconds:.2f} s")

    def is_right(self, question: Question, response: dict[str, Any]) -> bool:
        """Judges an answer when the load is over: that it cannot be known yet is neither right nor wrong."""
        right, verdict = question.right(0, 0), _verdict(response)
        if verdict not in {*right, UNKNOWN} or response["allowed"] != (verdict[0] != "deny"):
            self._wrong(question, right | {UNKNOWN}, response, "when the load was over")
        return verdict in right

    def _wrong(self, question: Question, right: frozenset[Verdict], response: dict[str, Any], when: str) -> None:
        allowed, verdict = response["allowed"], _verdict(response)
        deniable = any(decision == "deny" for decision, _ in right)
        if not allowed and not deniable:
            self.wrong_denials += 1
            what = "wrong denial"
        elif verdict[0] == "allow" and not any(decision == "allow" for decision, _ in right):
            self.wrong_admissions += 1
            what = "wrong admission"
        else:
            self.wrong_otherwise += 1
            what = "wrong"
        words = [*response.get("warnings", ()), response.get("status", {}).get("message", "")]
        self._tell(
            what,
            f"{question.kind}: {question.image}: {' '.join(verdict)} {when}, right was"
            f" {' or '.join(sorted(' '.join(one) for one in right))}: {' | '.join(words)}",
        )

    def _tell(self, what: str, problem: str) -> None:
        self._told[what] += 1
        if self._told[what] <= _MOST_TOLD:
            self.problems.append(f"{what}: {problem}")

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent were answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


def _verdict(response: dict[str, Any]) -> Verdict:
    annotations = response["auditAnnotations"]
    return annotations["decision"], annotations["reason"]
