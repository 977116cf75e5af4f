"""What is wrong with a kubeconfig, in the words of somebody who has to mend it.

The kubernetes package finds most of it too, one thing after the other and in words for programmers; a plugin's own
words it only logs.
"""

import ast
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from kubernetes.aio.config.kube_config import ConfigNode

_ENDED: Final = re.compile(r"exec: process returned (-?\d+)(?:\. (b['\"].*))?", re.DOTALL)


def problem_of(merged: ConfigNode, context: str) -> str:
    """What keeps a context, which is there, from being used; empty where nothing is seen that does.

    `merged` is what KubeConfigMerger makes of one file or several. Raises what that raises for entries without their
    form.
    """
    inner = merged["contexts"].get_with_name(context)["context"]
    name = inner.safe_get("cluster")
    if not name:
        return f"the context {context!r} names no cluster"
    entry = merged["clusters"].get_with_name(name, safe=True)
    if entry is None:
        return f"the context {context!r} names the cluster {name!r}, which is not there"
    server = entry["cluster"].safe_get("server") if entry.safe_get("cluster") else None
    if not isinstance(server, str) or not re.match("https?://[^/]", server, re.IGNORECASE):
        return f"the server of the cluster {name!r} is no https URL: {server!r}"
    return _missing_file(entry, "cluster", ("certificate-authority",)) or _problem_of_user(merged, inner, context)


def _problem_of_user(merged: ConfigNode, inner: ConfigNode, context: str) -> str:
    name = inner.safe_get("user")
    if not name:
        return ""  # anonymous
    entry = merged["users"].get_with_name(name, safe=True)
    if entry is None:
        return f"the context {context!r} names the user {name!r}, who is not there"
    return _missing_file(entry, "user", ("client-certificate", "client-key", "tokenFile"))


def _missing_file(entry: ConfigNode, kind: str, keys: tuple[str, ...]) -> str:
    """A file that an entry names and that is not there; paths begin at the kubeconfig that has the entry."""
    body = entry.safe_get(kind)
    values: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    for key in keys:
        named = values.get(key)
        other = values.get("token") if key == "tokenFile" else values.get(f"{key}-data")
        if isinstance(named, str) and named and not other:
            path = Path(os.path.normpath(Path(entry.path or "").parent / Path(named)))
            if not path.is_file():
                return f"{path}, which is {key} of the {kind} {entry.safe_get('name')!r}, is not there"
    return ""


_words: ContextVar[list[str] | None] = ContextVar("_words", default=None)


class _Kept(logging.Filter):
    """Takes what the package says about a credential plugin, where somebody wants it, instead of the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        kept = _words.get()
        if kept is None:
            return True
        kept.append(_of_plugin(record.getMessage()))
        return False


logging.getLogger("kubernetes.aio.config.kube_config").addFilter(_Kept())


@contextmanager
def plugins_words() -> Iterator[list[str]]:
    """Within it, what goes wrong with credential plugins: what each wrote to standard error, and how it ended."""
    kept: list[str] = []
    token = _words.set(kept)
    try:
        yield kept
    finally:
        _words.reset(token)


def _of_plugin(message: str) -> str:
    """The package's message, with the plugin's words as text where it has them as bytes."""
    ended = _ENDED.fullmatch(message)
    if ended is None:
        return message.removeprefix("exec: ")
    said = ""
    if ended[2]:
        with suppress(ValueError, SyntaxError):
            said = ast.literal_eval(ended[2]).decode("utf-8", "replace").strip()
    return f"it ended with {ended[1]}{': ' if said else ''}{said}"
