"""A server to ask, closed at the end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.serving import Served


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """An admission server that has not started yet."""
    served = Served(tmp_path)
    yield served
    await served.server.stop()
