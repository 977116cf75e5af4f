"""What follows from a new version of the settings file, good or bad."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from webhook.admission.server import AdmissionServer
from webhook.app.certificate import NAMESPACE_VARIABLE, POD_VARIABLE
from webhook.app.generations import Generations
from webhook.core.notice import Notice, Regarding, joined
from webhook.observability import logs
from webhook.observability.metrics import Metrics
from webhook.settings import Settings

if TYPE_CHECKING:  # at run time only where there is a cluster
    from webhook.cluster.events import EventWriter

UID_VARIABLE: Final = "POD_UID"
"""Set by the manifests, as the two others: without it `kubectl describe` does not find the pod's Events."""

REFUSED: Final = "SettingsRefused"
"""The reason of the Event on podgate's own pod."""

logger = logging.getLogger("podgate")


@dataclass(frozen=True, slots=True)
class Reload:
    """Takes settings over. `follow_node_pools` is told whether NodePools are wanted, `tell` why settings are not
    taken."""

    generations: Generations
    server: AdmissionServer
    metrics: Metrics
    follow_node_pools: Callable[[bool], None]
    tell: Callable[[str], None]

    async def apply(self, settings: Settings) -> None:
        """From now on these count. Raises as Generations.take_over does, and then nothing has changed."""
        before = self.generations.settings
        waiting = await self.generations.take_over(settings)
        now = self.generations.settings
        self.server.keep_back(now.deadline_margin)
        self.follow_node_pools(now.nodes.node_pools)
        if now.log != before.log:
            logs.set_up(now.log.level, now.log.format)
        self.metrics.settings_read(good=True)
        self.metrics.restart_needed(needed=bool(waiting))
        changed = [field.alias or name for name, field in Settings.model_fields.items() if _differ(before, now, name)]
        logger.info("the settings have been read again; changed: %s", ", ".join(changed) or "nothing")
        if waiting:
            logger.warning("settings that count from the next start on have changed: %s", ", ".join(waiting))

    def refused(self, problem: str) -> None:
        """What counted before goes on to count."""
        self.metrics.settings_read(good=False)
        if self.generations.settings.events:
            self.tell(problem)


def _differ(one: Settings, other: Settings, name: str) -> bool:
    return bool(getattr(one, name) != getattr(other, name))


def settings_events(writer: "EventWriter | None", environment: Mapping[str, str]) -> Callable[[str], None]:
    """Writes an Event on podgate's own pod, where it is known which that is."""
    name, namespace = environment.get(POD_VARIABLE, ""), environment.get(NAMESPACE_VARIABLE, "")
    if writer is None or not (name and namespace):
        return lambda _: None
    about = Regarding("v1", "Pod", namespace, name, environment.get(UID_VARIABLE, ""))
    return lambda problem: writer.write(Notice(about, REFUSED, joined([f"the settings stay as they were: {problem}"])))
