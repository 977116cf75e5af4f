"""Calls a webhook as an API server does, by what its configuration says: is it reached, trusted, and answered by?

The configuration names a Service, and holds the authority that an API server trusts for it (WebhookClientConfig of
admissionregistration.k8s.io/v1). The review that is sent asks about nothing that podgate judges, and is a dry run.
"""

import base64
import binascii
import json
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from webhook.cluster.connection import Connection
from webhook.cluster.credentials import one_line

CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
CONFIGURATION: Final = "ValidatingWebhookConfiguration"
"""The kind of what is there."""
_CALL_SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 1 << 20


class NotAnswered(Exception):
    """A webhook does not answer as an API server would take it; one line says why."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a webhook is. `host` is the Service's name as API servers call it; `authority` is PEM, or empty: whom the
    system trusts."""

    name: str
    host: str
    port: int
    path: str
    authority: str


async def configured(connection: Connection, name: str) -> tuple[Webhook, ...]:
    """The webhooks of a ValidatingWebhookConfiguration. Raises ClusterUnavailable and NotAnswered."""
    return parse_webhooks(await connection.get(f"{CONFIGURATIONS}/{quote(name, safe='')}", CONFIGURATION))


def parse_webhooks(configuration: Mapping[str, Any]) -> tuple[Webhook, ...]:
    """The webhooks of a ValidatingWebhookConfiguration. Raises NotAnswered where there is nothing to be called."""
    found = tuple(_webhook(each) for each in configuration.get("webhooks") or ())
    if not found:
        raise NotAnswered("the configuration has no webhooks")
    return found


def _webhook(entry: Mapping[str, Any]) -> Webhook:
    name, config = str(entry.get("name")), entry.get("clientConfig") or {}
    service = config.get("service")
    if not service:
        raise NotAnswered(f"webhook {name} names no Service")
    try:
        authority = base64.b64decode(config.get("caBundle") or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise NotAnswered(f"the caBundle of webhook {name} is no PEM") from None
    host = f"{service['name']}.{service['namespace']}.svc"
    return Webhook(name, host, int(service.get("port") or 443), service.get("path") or "/", authority)


async def call(webhook: Webhook, address: str | None = None) -> None:
    """Sends a review and looks at the answer. Raises NotAnswered where an API server would call it a failure.

    `address` (host:port) is connected to instead of the Service; the certificate must be for the Service all the same.
    """
    uid = str(uuid.uuid4())
    limits = aiohttp.ClientTimeout(total=_CALL_SECONDS)
    url = f"https://{address or f'{webhook.host}:{webhook.port}'}{webhook.path}?timeout={_CALL_SECONDS:.0f}s"
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.post(
                url, json=_review(uid), ssl=_trust(webhook), server_hostname=webhook.host, allow_redirects=False
            ) as response,
        ):
            body = await response.content.read(_LONGEST_ANSWER)
            if response.status != 200:
                raise NotAnswered(f"webhook {webhook.name} answers {response.status}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotAnswered(f"webhook {webhook.name}: {_problem(error)}") from error
    _look_at(webhook, uid, body)


def _problem(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {one_line(error.certificate_error)}"
    return "no answer in time" if isinstance(error, TimeoutError) else one_line(error)


def _trust(webhook: Webhook) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=webhook.authority or None)
    except (ssl.SSLError, ValueError) as error:
        raise NotAnswered(f"the caBundle of webhook {webhook.name} cannot be used: {one_line(error)}") from None
    # Python 3.13 refuses certificates that Go accepts; chain, name and dates are checked all the same.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _review(uid: str) -> dict[str, Any]:
    version_kind = {"group": "", "version": "v1"}
    request = {
        "uid": uid,
        "kind": {**version_kind, "kind": "ConfigMap"},
        "resource": {**version_kind, "resource": "configmaps"},
        "name": "podgate-ready",
        "namespace": "default",
        "operation": "CREATE",
        "userInfo": {"username": "podgate-ready"},
        "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "podgate-ready"}},
        "dryRun": True,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _look_at(webhook: Webhook, uid: str, body: bytes) -> None:
    """What an API server looks at: the review's form, and the uid (VerifyAdmissionResponse)."""
    try:
        review = json.loads(body)
        response = review["response"]
        right = (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
        right = right and response["uid"] == uid and response["allowed"] is True
    except (ValueError, KeyError, TypeError):
        right = False
    if not right:
        raise NotAnswered(f"webhook {webhook.name} answers with something that is not the review's answer")
