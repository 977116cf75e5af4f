"""The targets, and how many inputs each gets."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.fuzz.documents import Documents, Secrets
from tests.fuzz.laws import Target
from tests.fuzz.objects import Objects
from tests.fuzz.served import Answers, Reviews
from tests.fuzz.texts import Headers, HostsFiles, References, SettingsFiles

TARGETS: Final[Mapping[str, Callable[[], Target]]] = {
    "reviews": Reviews,
    "documents": Documents,
    "answers": Answers,
    "headers": Headers,
    "secrets": Secrets,
    "references": References,
    "objects": Objects,
    "hosts": HostsFiles,
    "settings": SettingsFiles,
}

COUNTS: Final[Mapping[str, int]] = {
    "reviews": 120_000,
    "documents": 110_000,
    "answers": 30_000,
    "headers": 170_000,
    "secrets": 170_000,
    "references": 150_000,
    "objects": 60_000,
    "hosts": 140_000,
    "settings": 50_000,
}
"""A million in all. An input that goes over a port costs as much as thirty that do not."""

CORPUS: Final = Path(__file__).with_name("corpus")
"""Inputs that are kept: what failed once, and what a guided run found new ways with. A folder for each target."""


def kept(name: str, corpus: Path = CORPUS) -> list[bytes]:
    """The inputs of a target that are kept, in an order that is always the same."""
    return [file.read_bytes() for file in sorted((corpus / name).glob("*.input"))]


def keep(name: str, data: bytes, corpus: Path = CORPUS) -> Path:
    """Keeps an input from now on; the file that it is in."""
    file = corpus / name / f"{hashlib.sha256(data).hexdigest()[:12]}.input"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file
