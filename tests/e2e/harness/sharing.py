"""How several processes share the end-to-end tests (`pytest tests/e2e -n 2 --dist loadfile`, which is make e2e).

Each process has a cluster and registries of its own, and a module is one process's as a whole, so that nothing that a
module sets up is set up twice. What the two have in common is the machine: its ports (drawn at random), its time.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has no annotations

LOADS = ("test_high_availability", "test_self_managed")
"""Modules under load, of which no review may be lost: never side by side."""
LONG = (*LOADS, "test_image", "test_ci", "test_html_report")
"""Modules that take longest: they begin first, so that no process is left with one at the end. The load leaves most of
the machine idle, and images are built meanwhile."""


class Modules(LoadFileScheduling):  # type: ignore[misc]  # as above
    """xdist's way to hand out modules, but that LOADS are one, and that they go in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        module = module_of(nodeid)
        return LOADS[0] if module in LOADS else module


def longest_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which they had best begin; within a module as they were."""
    order = {name: place for place, name in enumerate(LONG)}
    return sorted(items, key=lambda item: order.get(module_of(item.nodeid), len(order)))


def module_of(nodeid: str) -> str:
    """The name of a test's module."""
    return PurePosixPath(nodeid.partition("::")[0]).stem
