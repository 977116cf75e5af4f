"""The errors of the core: one family for malformed input, one class for registry faults.

    ValueError
    └── MalformedInput              something that somebody wrote does not have the form it must have
        ├── InvalidReference        an image reference
        ├── MalformedDocument       an index, manifest or config from a registry
        ├── MalformedObject         a Kubernetes object
        ├── MalformedSettings       a settings file
        └── BadCredentials          a pull secret, or a docker configuration
    Exception
    └── RegistryError               a registry, or the way to it, failed

A verdict (an image that does not fit a node) is never an exception: it is an Outcome. Faults become outcomes in
service.py and nowhere else.
"""

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

BODY_LIMIT = 512
"""Characters of a registry's error body that are kept: enough for its own words, too few to fill a log."""


class MalformedInput(ValueError):
    """Input that does not have its form; `path` leads to the bad field (empty: the whole), `problem` says what is wrong."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.problem = problem
        self.path = path


class InvalidReference(MalformedInput):
    """Not an image reference; `kind` is the class of the error that distribution/reference gives."""

    def __init__(self, problem: str, kind: str) -> None:
        super().__init__(problem)
        self.kind = kind


class MalformedDocument(MalformedInput):
    """A document of a registry that is not what its type says."""


class MalformedObject(MalformedInput):
    """A Kubernetes object without the fields its kind must have, or with fields of a wrong type."""


class MalformedSettings(MalformedInput):
    """A settings file with unknown keys, wrong types or values out of range."""


class BadCredentials(MalformedInput):
    """A pull secret or docker configuration that cannot be read; its text names the secret and key, never the content."""


class RegistryError(Exception):
    """A fault of a registry or of the way to it.

    `status` is the HTTP status, None where there was no answer. `retryable` says whether the same request may succeed
    soon. `url` has neither query nor user information. `body` is the beginning of the answer, for the log only.
    `detail` may hold addresses and TLS words: it is for the log, and a user is told the code alone.
    """

    def __init__(
        self,
        code: ErrorCode,
        detail: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        url: str = "",
        body: str = "",
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code: ErrorCode = code
        self.detail = detail
        self.status = status
        self.retryable = retryable
        self.url = url
        self.body = body[:BODY_LIMIT]
