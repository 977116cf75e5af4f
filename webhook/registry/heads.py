"""Where HEAD is of use: to see whether a tag has moved, at no cost (Docker Hub does not count it as a pull)."""

from collections import OrderedDict
from typing import Final

from webhook.registry.options import Hooks

REFUSED_SECONDS: Final = 600.0
"""How long a registry is not asked by HEAD that answered it wrongly, though GET works: that is how it is built."""

FAULT_SECONDS: Final = 60.0
"""The same after a fault, which may have another cause."""

_MOST_HOSTS: Final = 1024  # users choose the hosts


class Heads:
    """Registries, by origin, that do not answer HEAD as they should."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._until: OrderedDict[str, float] = OrderedDict()

    def of_use(self, origin: str) -> bool:
        """Whether a registry may be asked by HEAD."""
        return self._until.get(origin, 0.0) <= self._hooks.clock()

    def distrust(self, origin: str, seconds: float) -> None:
        """Notes that it may not for a while."""
        self._until[origin] = self._hooks.clock() + seconds
        self._until.move_to_end(origin)
        if len(self._until) > _MOST_HOSTS:
            self._until.popitem(last=False)
