"""Which mode counts for a namespace: by its label, which a namespace that is only just there may have as well."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from webhook.core.decision import Mode, effective_mode, mode_without_label
from webhook.core.errors import ClusterUnavailable
from webhook.ports import Cluster
from webhook.settings import Settings

MODE_LABEL: Final = "podgate.dev/mode"
"""The label of a namespace that overrides the mode."""

logger = logging.getLogger("podgate.service")


@dataclass(frozen=True, slots=True)
class NamespaceMode:
    """The mode of a namespace. `lenient`: its labels could not be read, and it is less strict for that."""

    mode: Mode
    lenient: bool = False


class Modes:
    """The modes of the namespaces of a cluster."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._default = settings.mode
        self._trust = settings.namespace_label
        self._cluster = cluster

    def at_hand(self, namespace: str) -> Mode:
        """The mode, as far as it is known without asking anybody: for what is not judged."""
        labels = self._cluster.namespace_labels(namespace) or {}
        return effective_mode(self._default, labels.get(MODE_LABEL), self._trust)

    async def of(self, namespace: str, deadline: float | None) -> NamespaceMode:
        """The mode, asked for by `deadline` (the event loop's time) where the namespace is not known yet. An object of
        a custom kind may be in none: then the settings' mode counts.

        Raises nothing. Where nobody can say, the strictest mode is `warn`, or `kubectl apply` of a namespace in mode
        off and of what it is to hold would be denied now and then.
        """
        if self._trust == "ignored" or not namespace or self._cluster.namespace_labels(namespace) is not None:
            return NamespaceMode(self.at_hand(namespace))
        try:
            async with asyncio.timeout_at(deadline):
                labels = await self._cluster.read_namespace_labels(namespace)
        except (ClusterUnavailable, TimeoutError) as error:
            why = error if isinstance(error, ClusterUnavailable) else "no answer in time"
            logger.warning("the labels of namespace %s could not be read: %s", namespace, why)
            mode = mode_without_label(self._default, self._trust)
            return NamespaceMode(mode, lenient=mode != self._default)
        return NamespaceMode(effective_mode(self._default, labels.get(MODE_LABEL), self._trust))
