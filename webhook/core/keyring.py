"""The kubelet's keyring: which credentials of which pull secrets are tried for an image, and in what order."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PullSecret:
    """A Secret as far as pulling goes. `data` is the decoded content of the one key that its type makes count."""

    namespace: str
    name: str
    type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """A way to log in to a registry. `source` names where it came from (a secret's name), never its content."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    source: str = ""
