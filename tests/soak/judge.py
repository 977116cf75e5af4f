"""Each answer, compared with what was right at its time."""

import random
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.soak.questions import Question, Verdict, review
from tests.soak.sender import Result
from tests.support.serving import response_of

TIMEOUT: Final = 10.0
"""Seconds that the API server waits for an answer, by its default."""
_MOST_TOLD: Final = 20
"""Wrong answers that are told of in full."""


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
            self._tell(f"lost: {result.status} {result.problem}")
            return
        self.seconds.append(result.seconds)
        self.late += result.seconds > TIMEOUT
        try:
            response = response_of(result.status, result.content_type, result.body)
            question = self._asked.pop(response["uid"])
            annotations = response["auditAnnotations"]
            verdict = annotations["decision"], annotations["reason"]
        except (AssertionError, LookupError, ValueError) as error:
            self.malformed += 1
            self._tell(f"no answer to what was asked: {error!r} {result.body[:300]!r}")
            return
        self._judge(question, verdict, response, result)

    def _judge(self, question: Question, verdict: Verdict, response: dict[str, Any], result: Result) -> None:
        kind = self.kinds[question.kind]
        kind.verdicts[verdict] += 1
        right = question.right(result.begin, result.end)
        allowed: bool = response["allowed"]
        if verdict in right and allowed == (verdict[0] != "deny"):
            return
        kind.wrong += 1
        deniable = any(decision == "deny" for decision, _ in right)
        if not allowed and not deniable:
            self.wrong_denials += 1
        elif verdict[0] == "allow" and not any(decision == "allow" for decision, _ in right):
            self.wrong_admissions += 1
        else:
            self.wrong_otherwise += 1
        words = [*response.get("warnings", ()), response.get("status", {}).get("message", "")]
        self._tell(
            f"{question.kind}: {question.image}: {' '.join(verdict)} after {result.seconds:.2f} s, right was"
            f" {' or '.join(sorted(' '.join(one) for one in right))}: {' | '.join(words)}"
        )

    def _tell(self, problem: str) -> None:
        if len(self.problems) < _MOST_TOLD:
            self.problems.append(problem)

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent were answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")
