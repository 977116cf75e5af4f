"""What podgate reads of Secrets, ServiceAccounts and Namespaces, from whichever source they come."""

import base64
import re
from collections.abc import Mapping
from types import MappingProxyType

from webhook.core.errors import BadCredentials, MalformedObject
from webhook.core.jsontree import clean
from webhook.core.keyring import PullSecret
from webhook.core.objects import Fields

SECRET_KEYS = MappingProxyType(
    {
        "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
        "kubernetes.io/dockercfg": ".dockercfg",
    }
)
"""The one key that counts in a pull secret of each type. The kubelet passes over every other type, and these keys in a
Secret of another type (pkg/credentialprovider/secrets, MakeDockerKeyring)."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_object_name(name: str) -> bool:
    """Whether an object may have this name (apimachinery, IsDNS1123Subdomain).

    A pod template may name anything; what is no name exists nowhere, and must not become part of a URL's path.
    """
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None


def object_name(obj: Mapping[str, object]) -> str:
    """metadata.name. Raises MalformedObject where there is none."""
    metadata = Fields.of(obj).inner("metadata")
    name = metadata.text("name")
    if not name:
        raise MalformedObject("is missing", metadata.at("name"))
    return name


def object_namespace(obj: Mapping[str, object], default: str) -> str:
    """metadata.namespace, or the default where it is not given. Raises MalformedObject where it is no string."""
    return Fields.of(obj).inner("metadata").text("namespace") or default


def object_labels(obj: Mapping[str, object]) -> Mapping[str, str]:
    """metadata.labels. Raises MalformedObject where they are not strings."""
    return Fields.of(obj).inner("metadata").string_map("labels")


def parse_pull_secret(obj: Mapping[str, object], namespace: str, name: str) -> PullSecret | None:
    """A Secret as far as pulling goes; None where its type is not one that the kubelet reads.

    `stringData` counts as it does when the API server stores a Secret: over `data`. Raises BadCredentials, which names
    secret and key and not the content, where the key is missing or is not base64 (the API server stores no such
    Secret; a file may hold one).
    """
    kind = obj.get("type")
    key = SECRET_KEYS.get(kind) if isinstance(kind, str) else None
    if key is None or not isinstance(kind, str):
        return None
    written, stored = obj.get("stringData"), obj.get("data")
    if isinstance(written, Mapping) and key in written:
        text = written[key]
        data = clean(text).encode() if isinstance(text, str) else None
    elif isinstance(stored, Mapping) and key in stored:
        data = _from_base64(stored[key])
    else:
        raise BadCredentials(f"has no key {key}, which its type {kind} demands", f"secret {namespace}/{name}")
    if data is None:
        raise BadCredentials(f"the key {key} cannot be decoded", f"secret {namespace}/{name}")
    return PullSecret(namespace, name, kind, data)


def _from_base64(value: object) -> bytes | None:
    """Bytes as Go's encoding/json reads them: line breaks within base64 are passed over, and null is empty."""
    if not isinstance(value, str | None):
        return None
    try:
        return base64.b64decode((value or "").translate({10: None, 13: None}), validate=True)
    except ValueError:  # binascii.Error, and text that is not ASCII
        return None


def service_account_secrets(obj: Mapping[str, object]) -> tuple[str, ...]:
    """The names in a ServiceAccount's imagePullSecrets. Raises MalformedObject where they are no list of references."""
    return tuple(reference.text("name") for reference in Fields.of(obj).objects("imagePullSecrets"))
