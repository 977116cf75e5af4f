"""podgate's command line as a user runs it, and the documents that it prints, held to their schema."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from webhook import cli

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = ROOT / "docs" / "check.schema.json"
SCHEMA = Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What `check -o json` printed; it must be one document of the schema."""
        value: dict[str, Any] = json.loads(self.out)
        SCHEMA.validate(value)
        return value

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """Its objects by name."""
        return {one["name"]: one for one in self.document["objects"]}


class Podgate:
    """Runs podgate in this process (`__call__`), or in one of its own (`apart`)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str | Path, stdin: bytes | BytesIO = b"") -> Ran:
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["podgate", *map(str, arguments)])
        self._monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin) if isinstance(stdin, bytes) else stdin))
        with _logging_as_it_was():
            code = _exit_code()
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return _valid(Ran(code, captured.out, captured.err), arguments)

    def json(self, *arguments: str | Path, stdin: bytes | BytesIO = b"") -> Ran:
        """`check ... -o json`."""
        return self("check", *arguments, "-o", "json", stdin=stdin)


@pytest.fixture
def new_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No home, kubeconfig, docker configuration or settings of whoever runs the tests."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    own = ("KUBECONFIG", "DOCKER_CONFIG", "KUBERNETES_SERVICE_HOST", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    others = [name for name in os.environ if name.startswith("PODGATE_")]
    for name in (*own, *others, *proxies, *map(str.upper, proxies)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def podgate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], new_user: None) -> Podgate:
    return Podgate(monkeypatch, capsys)


def apart(
    arguments: Sequence[str | Path], environment: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Starts podgate in a process of its own, with pipes unless told otherwise."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "webhook", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(environment or {})}, **{**pipes, **options})


def finish(process: subprocess.Popen[str]) -> Ran:
    """Waits for the end."""
    out, err = process.communicate(timeout=60)
    arguments = process.args if isinstance(process.args, list) else []
    return _valid(Ran(process.returncode, out or "", err or ""), arguments)


def _valid(ran: Ran, arguments: Sequence[object]) -> Ran:
    """The run, whose document must be one of the schema whoever looks at it, if `check -o json` printed one."""
    if "check" in arguments and "json" in arguments and ran.out:
        assert ran.document
    return ran


def _exit_code() -> int:
    """Of the console script, which may also just return."""
    try:
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """A command sets logging up for a process of its own."""
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
        for name in list(root.manager.loggerDict):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
