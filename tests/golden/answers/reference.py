"""The form of golden/reference: a reference read by containerd and by the kubelet."""

from collections.abc import Callable
from typing import Any

from webhook.core.errors import InvalidReference
from webhook.core.reference import Reference, parse_docker_ref, parse_normalized


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`docker_ref` and `normalized` of the text `s`."""
    text: str = question["s"]
    return {
        "docker_ref": _reading(parse_docker_ref, text),
        "normalized": _reading(lambda given: parse_normalized(given).with_default_tag(), text),
    }


def _reading(parse: Callable[[str], Reference], text: str) -> dict[str, str]:
    try:
        reference = parse(text)
    except InvalidReference as error:
        return {"error": error.kind, "error_text": error.problem}
    return {
        "domain": reference.domain,
        "path": reference.path,
        "tag": reference.tag,
        "digest": reference.digest,
        "familiar": reference.familiar,
        "canonical": reference.canonical,
    }
