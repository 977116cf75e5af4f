"""Reviews under load: pods that are created by server-side dry run through the API server, and what became of each."""

import threading
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx

from tests.e2e.harness.cluster import Cluster
from tests.e2e.harness.processes import wait_until
from tests.e2e.harness.verdicts import DENIED

PER_SECOND = 100
THREADS = 8


class Load:
    """Creates a pod that podgate denies, over and over. `denied` counts those that were; `others` has the rest: reviews
    that were lost."""

    def __init__(self, cluster: Cluster, namespace: str, pod: Mapping[str, Any], per_second: int = PER_SECOND) -> None:
        self._path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
        self._cluster = cluster
        self._pod = pod
        self._pause = THREADS / per_second
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(THREADS)]
        self._seconds: list[float] = []
        self.denied = 0
        self.others: list[str] = []

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count: int) -> None:
        """Waits until so many more were denied."""
        wanted = self.denied + count
        wait_until(f"{count} more reviews", lambda: self.denied >= wanted, 60)

    def summary(self) -> str:
        """Counts, and how long an answer took that podgate gave: to be read, not to be judged."""
        taken = sorted(self._seconds) or [0.0]
        at = {percent: taken[len(taken) * percent // 100] * 1000 for percent in (50, 90, 99)}
        times = ", ".join(f"{percent} % within {each:.0f} ms" for percent, each in at.items())
        rate = self.denied / (time.monotonic() - self._begun)
        counts = f"{self.denied} reviews, {rate:.0f} a second, {len(self.others)} lost"
        return f"{counts}; {times}, all within {taken[-1]:.1f} s"

    def _run(self, number: int) -> None:
        with self._cluster.control_plane.client() as client:
            due = time.monotonic() + number * self._pause / THREADS
            while not self._end.wait(max(0.0, due - time.monotonic())):
                # Where the machine is too slow for the rate, what was missed is not made up for.
                due = max(due + self._pause, time.monotonic())
                begun = time.monotonic()
                self._note(self._ask(client), time.monotonic() - begun)

    def _ask(self, client: httpx.Client) -> str:
        """What was wrong; nothing where podgate has denied it."""
        try:
            answer = client.post(self._path, json=self._pod)
        except httpx.TransportError as error:
            return repr(error)
        message = str(answer.json().get("message"))
        return "" if answer.status_code == 403 and message.startswith(DENIED) else f"{answer.status_code} {message}"

    def _note(self, problem: str, seconds: float) -> None:
        with self._lock:
            if problem:
                self.others.append(f"{time.strftime('%H:%M:%S')} {problem}"[:1000])
            else:
                self.denied += 1
                self._seconds.append(seconds)
