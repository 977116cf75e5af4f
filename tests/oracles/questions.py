"""Seeded inputs of an oracle: the same seed gives the same inputs, on any machine."""

import hashlib
import importlib
import json
import random
from collections.abc import Iterator


def questions(name: str, seed: int) -> Iterator[str]:
    """Endless different inputs as JSON text, from the families of inputs/NAME.py.

    What was there before is known by eight bytes of its hash, so that a million inputs stay small; two inputs that
    share them cost one input, not a wrong answer.
    """
    families = importlib.import_module(f"tests.oracles.inputs.{name}").FAMILIES
    weights = [weight for weight, _ in families]
    rng = random.Random(f"{name}/{seed}")
    seen: set[bytes] = set()
    while True:
        ((_, make),) = rng.choices(families, weights)
        text = json.dumps(make(rng), separators=(",", ":"))
        mark = hashlib.blake2b(text.encode(), digest_size=8).digest()
        if mark not in seen:
            seen.add(mark)
            yield text
