"""A scan that is broken off, and run again: it goes on where it was."""

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.command import apart, finish
from tests.support.fleet import deployment
from tests.support.images import multi
from tests.support.manifests import REGISTRY, write
from tests.support.registry import Fault, Registry


def test_what_was_found_before_an_interruption_is_not_asked_for_again(
    settings: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    names = [f"team/part-{number}" for number in range(6)]
    for name in names:
        registry.push(name, multi("linux/amd64"), "1")
    saved = write(tmp_path / "saved.yaml", *(deployment(name[5:], f"{REGISTRY}/{name}:1") for name in names))
    command: list[str | Path] = ["scan", "--config", settings, "-f", saved, "--target", "linux/amd64", "--jobs", "1"]
    slow = Fault(at="*/part-3/*", delay=60)
    registry.faults.append(slow)
    first = apart(command)
    ends = time.monotonic() + 30
    while not registry.asked("*/part-3/*") and time.monotonic() < ends:
        time.sleep(0.02)
    first.send_signal(signal.SIGINT)
    broken_off = finish(first)
    assert (broken_off.code, broken_off.out) == (130, "")
    assert "Traceback" not in broken_off.err
    registry.faults.clear()
    ran = finish(apart(command))
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "ready: 18 of 18 replicas, 6 of 6 workloads")
    asked = Counter(one.path.split("/")[3] for one in registry.log)
    # All of it once, but for what was under way: nobody has heard its answer.
    assert asked == {f"part-{number}": 2 if number == 3 else 1 for number in range(6)}
