"""Two programs asked the same, and what they disagree on."""

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from tests.golden.compare import disagreements
from tests.oracles.answerers import Answerer, Broken

Answers = tuple["Future[list[bytes]]", "Future[list[bytes]]"]


@dataclass(frozen=True)
class Disagreement:
    """An input on which the original and podgate differ: `fields` holds {field: (original's, podgate's)}."""

    question: Any
    original: dict[str, Any]
    ours: dict[str, Any]
    fields: dict[str, tuple[Any, Any]]

    def is_like(self, other: "Disagreement") -> bool:
        """Whether another input shows the same thing: in a field of this one, the same kinds of answers differ.

        Else an input that has merely become malformed, or another disagreement, would pass for a smaller one.
        """
        common = self.fields.keys() & other.fields.keys()
        return any(_kinds(self.fields[field]) == _kinds(other.fields[field]) for field in common)


def _kinds(sides: tuple[Any, Any]) -> tuple[object, object]:
    original, ours = map(_kind, sides)
    return original, ours


def _kind(value: Any) -> object:
    """An error, whichever; a failure by its exception, true and false as they are; of all else what it is."""
    if isinstance(value, dict) and "error" in value:
        return "error"
    if isinstance(value, str):
        return value.partition(":")[0] if ": " in value else str
    return value if value is None or isinstance(value, bool) else type(value)


class Pair:
    """An original and podgate's answerer, side by side on two cores."""

    def __init__(self, name: str, original: Answerer, ours: Answerer) -> None:
        self.name = name
        self._both = (original, ours)
        self._pool = ThreadPoolExecutor(2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def start(self, questions: Sequence[str]) -> Answers:
        """Begins to ask; the caller may make the next inputs meanwhile."""
        lines = [question.encode() for question in questions]
        original, ours = (self._pool.submit(one.ask, lines) for one in self._both)
        return original, ours

    def first_disagreement(self, questions: Sequence[str], answers: Answers) -> Disagreement | None:
        """The first of the batch. Raises Broken where a program gave fewer answers than it was asked for."""
        return next(filter(None, self._compared(questions, answers)), None)

    def disagreements(self, questions: Sequence[str]) -> list[Disagreement | None]:
        """For each input whether the two differ on it; None too where the original does not take it for an input."""
        try:
            return self._compared(questions, self.start(questions))
        except Broken:
            return [self._alone(question) for question in questions]

    def _alone(self, question: str) -> Disagreement | None:
        try:
            return self._compared([question], self.start([question]))[0]
        except Broken:
            return None

    def _compared(self, questions: Sequence[str], answers: Answers) -> list[Disagreement | None]:
        broken = [error for answer in answers if (error := answer.exception()) is not None]
        if broken:
            raise broken[0]
        lines = zip(questions, answers[0].result(), answers[1].result(), strict=True)
        return [self._compare(*line) for line in lines]

    def _compare(self, question: str, original: bytes, ours: bytes) -> Disagreement | None:
        told, given = json.loads(original), json.loads(ours)
        fields = disagreements(self.name, told, given)
        return Disagreement(json.loads(question), told, given, fields) if fields else None


def shown(name: str, seed: int, found: Disagreement) -> str:
    """A disagreement as people read it; the input as a line that can be asked again."""
    lines = [f"{name}: podgate disagrees with the Go original (seed {seed}). The smallest input that was found:"]
    lines.append(json.dumps(found.question, separators=(",", ":")))
    for field, (original, ours) in found.fields.items():
        lines.append(f"  {field}: the original has {json.dumps(original)}, podgate {json.dumps(ours)}")
    lines.append(f"the original's whole answer: {json.dumps(found.original)}")
    lines.append(f"podgate's whole answer:      {json.dumps(found.ours)}")
    return "\n".join(lines)
