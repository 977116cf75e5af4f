"""A cluster in which podgate manages its certificates itself."""

from collections.abc import AsyncIterator

import pytest

from tests.support.apiserver import api_server
from tests.support.selfmanaged import World, install


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """One without a replica yet, just installed."""
    async with api_server() as running:
        install(running)
        made = World(running)
        yield made
        await made.close()
