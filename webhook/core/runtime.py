"""Container runtimes as a node names them, and which way of choosing from an index each of them has."""

from dataclasses import dataclass
from typing import Literal

Selection = Literal["only", "transfer", "crio", "unknown"]
"""How a runtime selects an index entry: `only` (dockerd, containerd up to 2.0: platforms.Only), `transfer` (containerd
2.1 and later: its transfer service fetches what platforms.Ordered lets through, then looks up by Only), `crio`
(containers/image), `unknown` (none of these, or no version)."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """nodeInfo.containerRuntimeVersion, taken apart. `text` is as the node says it (empty: the node says nothing)."""

    text: str = ""
    name: str = ""
    version: tuple[int, ...] = ()

    @property
    def selection(self) -> Selection:
        """The way this runtime selects."""
        raise NotImplementedError
