"""How far a run got, in a file for each oracle, so that one that was interrupted can go on."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("webhook/core", "tests/golden/answers", "tests/golden/compare.py", "tests/oracles")
"""What answers depend on: where any of it has changed, what was asked before proves nothing."""

SUFFIXES = frozenset({".py", ".go", ".mod", ".sum", ".input", ".json", ".gz"})


class Begun(Protocol):
    """What is under way."""

    @property
    def name(self) -> str: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class State:
    """`asked`: the inputs of this seed, from the first, on which both agreed."""

    name: str
    seed: int
    asked: int


class Progress:
    """The state files of a folder."""

    def __init__(self, folder: Path, *, fresh: bool = False, sources: Sequence[str] = SOURCES) -> None:
        self._folder = folder
        self._fresh = fresh
        self._sources = fingerprint(ROOT, sources)

    def state(self, name: str) -> State | None:
        """How far the run before got; None where there is nothing to go on with."""
        if self._fresh:
            return None
        try:
            document = json.loads(self._file(name).read_text())
            state = State(name, int(document["seed"]), int(document["asked"]))
        except (OSError, ValueError, KeyError, TypeError):  # none, or not ours any more: begin anew
            return None
        return state if document.get("sources") == self._sources else None

    def begin(self, state: State) -> None:
        """Notes a state, whatever was there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._fresh = False
        half = self._file(state.name).with_suffix(".new")
        half.write_text(json.dumps({**asdict(state), "sources": self._sources}) + "\n")
        half.replace(self._file(state.name))

    def asked(self, run: Begun) -> int:
        """Inputs of the run that need not be asked again."""
        state = self.state(run.name)
        return state.asked if state is not None and state.seed == run.seed else 0

    def save(self, run: Begun, asked: int) -> None:
        """Notes that so many inputs of the run are asked."""
        self.begin(State(run.name, run.seed, asked))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def fingerprint(root: Path, sources: Sequence[str] = SOURCES) -> str:
    """A hash of all that answers depend on."""
    found = hashlib.sha256()
    for source in sources:
        path = root / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in SUFFIXES and not file.name.startswith("test_"):
                found.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]
