"""Programs that are asked for credentials: shell scripts that note what they were given."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

API = "credentialprovider.kubelet.k8s.io/v1"


class Script:
    """A program in a folder. `runs` are the questions that it has been asked, one a line."""

    def __init__(self, folder: Path, name: str, body: str) -> None:
        self._asked = folder / f"{name}.asked"
        self.path = folder / name
        self.write(body)

    def write(self, body: str) -> None:
        """What it does from now on; $question is what it read, $asked the file that has all of them."""
        head = f'#!/bin/sh\nasked={self._asked}\nquestion=$(/bin/cat)\necho "$question" >> $asked\n'
        self.path.write_text(head + body)
        self.path.chmod(0o755)

    @property
    def runs(self) -> list[str]:
        return self._asked.read_text().splitlines() if self._asked.exists() else []


def answering(text: str) -> str:
    """A script's body that writes a text, as it stands."""
    return f"/bin/cat <<'END'\n{text}\nEND\n"


def response(auth: Mapping[str, str] | None, kind: str = "Image", /, **more: Any) -> str:
    """A plugin's answer; `auth` has user:password by key."""
    entries = None
    if auth is not None:
        pairs = {key: pair.partition(":") for key, pair in auth.items()}
        entries = {key: {"username": user, "password": word} for key, (user, _, word) in pairs.items()}
    document = {"kind": "CredentialProviderResponse", "apiVersion": API, "cacheKeyType": kind, "auth": entries}
    return json.dumps({**document, **more})


def provider(name: str, *match_images: str, **more: Any) -> dict[str, Any]:
    """A provider of a CredentialProviderConfig."""
    base = {"name": name, "matchImages": list(match_images), "defaultCacheDuration": "10m", "apiVersion": API}
    return {**base, **more}


def provider_config(*providers: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig", "providers": list(providers)}
