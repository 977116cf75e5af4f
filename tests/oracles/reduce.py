"""The smallest input that shows a disagreement: parts are left out as long as it is still there.

It knows nothing of any oracle. An input is JSON; strings that hold JSON themselves (documents of a registry, secrets)
are reduced inside too.
"""

import json
from collections.abc import Iterator
from typing import Any

from tests.oracles.differ import Disagreement, Pair

BATCH = 64
"""Smaller inputs that are tried at once, the smallest first."""

MOST_TRIED = 50_000
"""What is tried in all; the largest inputs here (a registry's documents) take some thousands."""


def reduced(found: Disagreement, pair: Pair) -> Disagreement:
    """The disagreement with an input of which no single part can be left out any more."""
    tried: set[str] = set()
    while True:
        smaller = _step(found, pair, tried)
        if smaller is None:
            return found
        found = smaller


def _step(found: Disagreement, pair: Pair, tried: set[str]) -> Disagreement | None:
    texts = {_text(candidate) for candidate in simpler(found.question)} - tried
    ordered = sorted(texts, key=lambda text: (len(text), text))
    size = _size(_text(found.question))
    ordered = [text for text in ordered if _size(text) < size]
    for start in range(0, len(ordered), BATCH):
        if len(tried) > MOST_TRIED:
            return None
        batch = ordered[start : start + BATCH]
        tried.update(batch)
        for one in pair.disagreements(batch):
            if one is not None and one.is_like(found):
                return one
    return None


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _size(text: str) -> tuple[int, str]:
    return len(text), text


def simpler(value: Any) -> Iterator[Any]:
    """Values with one part left out or made plainer, large parts and small ones."""
    if isinstance(value, dict):
        yield from _simpler_object(value)
    elif isinstance(value, list):
        for kept in _runs(len(value)):
            yield [value[place] for place in kept]
        for place, item in enumerate(value):
            for plainer in simpler(item):
                yield [*value[:place], plainer, *value[place + 1 :]]
    elif isinstance(value, str):
        yield from _simpler_text(value)
    elif value is not None and value is not False and value != 0:
        yield type(value)()


def _simpler_object(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    keys = list(value)
    for kept in _runs(len(keys)):
        yield {keys[place]: value[keys[place]] for place in kept}
    for key in keys:
        for plainer in simpler(value[key]):
            yield {**value, key: plainer}
        for shorter in _simpler_text(key):
            if shorter not in value:
                yield {shorter if name == key else name: item for name, item in value.items()}


def _simpler_text(text: str) -> Iterator[str]:
    for kept in _runs(len(text)):
        yield "".join(text[place] for place in kept)
    try:
        inner = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(inner, dict | list):
        yield from map(_text, simpler(inner))


def _runs(length: int) -> Iterator[list[int]]:
    """What is left of so many places without a run of them: of half of them, of a quarter and so on, of one."""
    size = length
    while size > 0:
        for start in range(0, length, size):
            yield [place for place in range(length) if not start <= place < start + size]
        size //= 2
