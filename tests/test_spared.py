"""Modules that are spared are there for whoever wants them, and not before."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from webhook.spared import spared


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package that imports two parts of its own."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "__init__.py").write_text("from . import heavy, light\n")
    (tmp_path / "whole" / "heavy.py").write_text("weight = 1\n")
    (tmp_path / "whole" / "light.py").write_text("weight = 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "whole"
    for name in [name for name in sys.modules if name.partition(".")[0] == "whole"]:
        del sys.modules[name]


def test_a_part_is_imported_when_somebody_wants_it(package: str):
    with spared(package, "heavy"):
        whole = importlib.import_module(package)
    assert (whole.light.weight, hasattr(whole, "heavy"), "whole.heavy" in sys.modules) == (0, False, False)
    assert importlib.import_module("whole.heavy").weight == 1


def test_a_part_that_is_there_stays(package: str):
    whole = importlib.import_module(package)
    with spared(package, "heavy"):
        assert importlib.import_module("whole.heavy") is whole.heavy
    assert whole.heavy.weight == 1


def test_nothing_is_left_behind_where_the_import_fails(package: str):
    with pytest.raises(RuntimeError), spared(package, "heavy"):
        raise RuntimeError
    assert "whole.heavy" not in sys.modules
