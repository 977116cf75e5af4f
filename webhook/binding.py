"""The use case of a binding: read the pod that is being bound, and judge it on that very node.

Whatever keeps podgate from knowing pod or node leads to a warning at most: a scheduler that is refused picks the same
node again, and never learns better.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from webhook.core.binding import Binding, bound, decide_binding, unchecked, unchecked_event
from webhook.core.decision import Decision, Judgement, Mode, under
from webhook.core.errors import ClusterUnavailable, MalformedObject
from webhook.core.scheduling import Node
from webhook.core.workload import Workload
from webhook.ports import Cluster, Pods
from webhook.service import Judge, Request

_NO_NODE: Final = "the node is not known"
_NO_POD: Final = "there is no such pod"
_ANOTHER_POD: Final = "another pod has that name by now"
_FORBIDDEN: Final = "podgate lacks the permission to get pods"
_NO_ANSWER: Final = "the API server did not give the pod in time"
_UNREADABLE: Final = "the pod could not be read"

logger = logging.getLogger("podgate.service")


class BindingJudge:
    """Judges bindings. `mismatch`: what settings say of one that fails (settings.binding)."""

    def __init__(self, judge: Judge, cluster: Cluster, pods: Pods, mismatch: Decision) -> None:
        self._judge = judge
        self._cluster = cluster
        self._pods = pods
        self._mismatch = mismatch
        self._snapshot: Sequence[Node] = ()
        self._names: frozenset[str | None] = frozenset()

    async def judge(self, binding: Binding, deadline: float | None) -> Judgement:
        """The decision for one binding, by `deadline` (the event loop's time; None: whenever it is done).

        Raises nothing that an API server, a registry or a pod's author can cause.
        """
        mode = (await self._judge.mode(binding.namespace, deadline)).mode
        if mode == "off" or self._judge.exempts(binding.namespace):
            return Judgement(binding.named, "allow", "skipped", mode)
        if binding.node not in self._node_names():
            return self._undetermined(binding, mode, _NO_NODE)
        pod = await self._read(binding, deadline)
        if isinstance(pod, str):
            return self._undetermined(binding, mode, pod)
        request = Request(bound(pod, binding.node), deadline=deadline, binding=self._mismatch)
        return await self._judge.judge(request)

    async def _read(self, binding: Binding, deadline: float | None) -> Workload | str:
        """The pod that is meant, or why it is not to be had."""
        try:
            async with asyncio.timeout_at(deadline):
                pod = await self._pods.pod(binding.namespace, binding.pod)
        except TimeoutError:
            return _NO_ANSWER
        except ClusterUnavailable as error:
            logger.warning("the pod %s/%s could not be read: %s", binding.namespace, binding.pod, error)
            return _FORBIDDEN if error.status == 403 else _UNREADABLE
        except MalformedObject as error:
            return f"not understood: {error}"
        if pod is None:
            return _NO_POD
        # A pod of that name that was made in the meantime is another one, and the API server refuses this binding.
        return pod if binding.uid in ("", pod.uid) else _ANOTHER_POD

    def _undetermined(self, binding: Binding, mode: Mode, problem: str) -> Judgement:
        wanted = decide_binding("undetermined", self._judge.policy, binding.named, self._mismatch)
        decision = under(mode, wanted)
        texts = (unchecked(binding, problem),) if wanted != "allow" else ()
        # A pod that is not there gets no Event: the API server refuses such a binding itself.
        told = decision == "warn" and self._judge.writes_events and problem not in (_NO_POD, _ANOTHER_POD)
        event = unchecked_event(binding, problem) if told else ""
        return Judgement(binding.named, decision, "undetermined", mode, texts, wanted=wanted, event=event)

    def _node_names(self) -> frozenset[str | None]:
        """The names of the nodes as they are now; one set for each snapshot."""
        nodes = self._cluster.nodes()
        if nodes is not self._snapshot:
            self._names = frozenset(node.name for node in nodes)
            self._snapshot = nodes
        return self._names
