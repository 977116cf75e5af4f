"""What must hold of every input, whatever it is.

A target gives an answer to an input, as a value: the same input has the same answer. Where a law is broken it raises
Broken; any other exception that leaves a target is one that the code under test must not raise.
"""

import base64
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, Self

from webhook.core.errors import ErrorCode, RegistryError

SECRET = "Hush5c2fQv"
"""The password, the token, the header's value in every seed and in every cluster here. No other text has it."""

CODES = frozenset(ErrorCode.__args__)  # type: ignore[attr-defined]  # a Literal's words


class Broken(AssertionError):
    """A law is broken; the text says which."""


@dataclass(frozen=True)
class Answer:
    """`kind`: how far the input got, one of few words, which are counted so that it is seen how many inputs are turned
    away at the door. `value`: all that the code under test has said, to be compared."""

    kind: str
    value: object = None


class Target(AbstractContextManager["Target"], Protocol):
    """Something that takes inputs from outside. Entered once for a run."""

    name: str

    def seeds(self) -> list[bytes]:
        """Inputs in their usual form."""
        ...

    def answer(self, data: bytes) -> Answer:
        """What becomes of an input. Raises Broken."""
        ...


class Pure:
    """A target that needs nothing around it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


def hold(law: bool, words: str) -> None:
    """Raises Broken where a law does not hold."""
    if not law:
        raise Broken(words)


def _codings(secret: str) -> tuple[str, ...]:
    """A secret as it stands, and in base64 at each of its three places."""
    shifted = (base64.b64encode(b"x" * pad + secret.encode())[-(-8 * pad // 6) : -4].decode() for pad in range(3))
    return secret, *shifted


_FORMS = _codings(SECRET)


def tells_no_secret(words: Iterable[object]) -> None:
    """Nothing that people, logs or other hosts may read holds the secret."""
    for word in words:
        text = word if isinstance(word, str) else f"{word} {word!r}"
        hold(not has_secret(text), f"the secret is told: {text[:200]}")


def has_secret(text: str) -> bool:
    """Whether a text holds the secret, in whatever coding."""
    return any(form in text for form in _FORMS)


def is_a_fault(error: RegistryError) -> None:
    """A fault of a registry has one of the codes, and holds no secret."""
    hold(error.code in CODES, f"no code: {error.code}")
    exchange = error.exchange
    hold(exchange.retry_after is None or exchange.retry_after >= 0, "a pause that is none")
    tells_no_secret((str(error), repr(error), error.detail, exchange))


def one_line(text: str, limit: int | None = None) -> None:
    """A text for people: one line without control characters, of a length."""
    hold(text.isprintable(), f"a line with control characters: {text[:200]!r}")
    hold(limit is None or len(text) <= limit, f"a line of {len(text)} characters: {text[:80]!r}")


def lines(text: str) -> None:
    """A text for people of several lines."""
    for line in text.split("\n"):
        one_line(line)
