"""The form of golden/keyring: the credentials that the kubelet would try for an image."""

import re
from typing import Any

from webhook.core.errors import BadCredentials, InvalidReference
from webhook.core.keyring import Credential, Keyring, PullSecret
from webhook.core.reference import parse_normalized

# The oracle is a Go program: a lone surrogate in a question reads U+FFFD there, and so does a byte in an answer that is
# not UTF-8 (surrogateescape here).
_SURROGATE = re.compile("[\ud800-\udfff]")


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`repository`, `candidates` in order; `error` of class image or secret."""
    try:
        reference = parse_normalized(_go(question["image"]))
    except InvalidReference as error:
        return {"candidates": [], "error": "image", "error_text": str(error)}
    repository = reference.name
    secrets = [
        PullSecret("team", f"pull-{number}", _go(secret["type"]), _go(secret["data"]).encode())
        for number, secret in enumerate(question["secrets"])
    ]
    try:
        found = Keyring.from_secrets(secrets).lookup(repository)
    except BadCredentials as error:
        return {"repository": repository, "candidates": [], "error": "secret", "error_text": str(error)}
    return {"repository": repository, "candidates": [_candidate(credential) for credential in found]}


def _candidate(credential: Credential) -> dict[str, str]:
    return {"username": _go(credential.username), "password": _go(credential.password), "auth": credential.basic}


def _go(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)
