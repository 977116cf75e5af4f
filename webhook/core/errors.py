"""The errors of the core: one family for malformed input, one class for registry faults.

    ValueError
    └── MalformedInput              something that somebody wrote does not have the form it must have
        ├── InvalidReference        an image reference
        ├── MalformedPlatform       a platform, as in linux/arm64
        ├── MalformedDocument       an index, manifest or config from a registry
        ├── MalformedChallenge      a WWW-Authenticate challenge that leads to no token
        ├── MalformedObject         a Kubernetes object
        ├── MalformedSettings       a settings file
        └── BadCredentials          a pull secret, or a docker configuration
            └── MissingPermission   podgate may not read one
    Exception
    ├── RegistryError               a registry, or the way to it, failed
    └── ClusterUnavailable          the API server, or the way to it, failed

A verdict (an image that does not fit a node) is never an exception: it is an Outcome. Faults become outcomes in
service.py and nowhere else.
"""

from dataclasses import dataclass
from typing import Literal

ErrorCode = Literal[
    "invalid-reference",
    "not-found",
    "unauthorized",
    "denied",
    "bad-credentials",
    "rate-limited",
    "unavailable",
    "timeout",
    "tls",
    "blocked-address",
    "blocked-host",
    "too-large",
    "digest-mismatch",
    "malformed",
    "unsupported",
]
"""What kept an image from being known; the words of `error.code` in the output of `podgate check -o json`."""


class MalformedInput(ValueError):
    """Input without its form: `path` leads to the bad field (empty: the whole), `problem` says what is wrong."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.problem = problem
        self.path = path


class InvalidReference(MalformedInput):
    """Not an image reference; `kind` is the class of the error that distribution/reference gives."""

    def __init__(self, problem: str, kind: str) -> None:
        super().__init__(problem)
        self.kind = kind


class MalformedPlatform(MalformedInput):
    """Not a platform in the form os/architecture[/variant]."""


class MalformedDocument(MalformedInput):
    """A document of a registry that is not what its type says."""


class MalformedChallenge(MalformedInput):
    """A registry's challenge from which no token can be asked: its realm is missing, or is no URL."""


class MalformedObject(MalformedInput):
    """A Kubernetes object without the fields its kind must have, or with fields of a wrong type.

    `line` is where that stands in the text it was read from, counted from 1; None where it is not known.
    """

    def __init__(self, problem: str, path: str = "", line: int | None = None) -> None:
        super().__init__(problem, path)
        self.line = line


class MalformedSettings(MalformedInput):
    """A settings file with unknown keys, wrong types or values out of range."""


class BadCredentials(MalformedInput):
    """A pull secret or docker configuration that cannot be read; the text names secret and key, not the content."""


class MissingPermission(BadCredentials):
    """What may not be read of what a pod pulls with. `right` is what is to be allowed to whom, behind `allow`: `podgate
    to get secrets (in its ClusterRole)`."""

    def __init__(self, problem: str, path: str, right: str) -> None:
        super().__init__(problem, path)
        self.right = right


@dataclass(frozen=True, slots=True)
class Exchange:
    """The HTTP exchange behind a fault, fit for a log: `url` has neither query nor user information, `body` is the
    beginning of the answer. `status` is None where there was no answer. `retry_after`: seconds for which the registry
    wants to be left alone, None where it does not say."""

    url: str = ""
    status: int | None = None
    body: str = ""
    retry_after: float | None = None


class RegistryError(Exception):
    """A fault of a registry or of the way to it.

    `retryable` says whether the same request may succeed soon. `detail` and `exchange` may hold addresses and TLS
    words, for the log; a user is told the code alone, or `told` where that is not empty.
    """

    def __init__(
        self, code: ErrorCode, detail: str, exchange: Exchange | None = None, *, retryable: bool = False, told: str = ""
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: ErrorCode = code
        self.detail = detail
        self.exchange = exchange or Exchange()
        self.retryable = retryable
        self.told = told


class ClusterUnavailable(Exception):
    """The API server cannot be asked, or does not give what podgate needs: one line that a user can act on.

    `status` is its HTTP answer, None where there was none (no kubeconfig, no connection, no trust). `retry_after` is
    the pause that the server asks for, in seconds; None where it asks for none.
    """

    def __init__(self, problem: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status
        self.retry_after = retry_after


class NoKubeconfig(ClusterUnavailable):
    """Nothing says where an API server is."""


class CannotServe(Exception):
    """`serve` or the demo cannot begin: one line that names what is to be mended."""
