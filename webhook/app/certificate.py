"""Where the serving certificate comes from: files that somebody puts there, or podgate itself."""

import secrets
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from webhook.admission.certificate import Certificate, ServingCertificate
from webhook.core.errors import CannotServe
from webhook.core.rotation import Lives
from webhook.settings import Settings

if TYPE_CHECKING:  # at run time only where there is a cluster
    from webhook.cluster.connection import Connection

NAMESPACE_VARIABLE: Final = "POD_NAMESPACE"
POD_VARIABLE: Final = "POD_NAME"
"""Set by the manifests from the pod's own fields."""

_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def to_serve(settings: Settings, on_loaded: Callable[[float], None], *, in_cluster: bool) -> ServingCertificate:
    """What the server shows: from files at once, and self-managed as soon as there is one.

    Raises CannotServe where the files are no good, or podgate should manage without a cluster.
    """
    if settings.certificate.mode == "files":
        certificate = Certificate(settings.server.certificate_dir, on_loaded)
        certificate.load()
        return certificate
    if not in_cluster:
        raise CannotServe("certificate.mode: selfManaged needs a cluster, and with --nodes there is none")
    return ServingCertificate(on_loaded)


def renewal(
    certificate: ServingCertificate,
    settings: Settings,
    connection: "Connection | None",
    environment: Mapping[str, str],
) -> Coroutine[Any, Any, None]:
    """What keeps it good, for as long as the process runs. Raises CannotServe where podgate's own namespace, in which
    the Secret is, cannot be told."""
    if isinstance(certificate, Certificate):
        return certificate.watch()
    assert connection is not None  # see to_serve
    from webhook.cluster.certificates import How, Places, SelfManaged  # noqa: PLC0415  # no Kubernetes client without

    own = settings.certificate
    places = Places(
        own_namespace(environment), own.secret, own.lease or own.secret, own.webhook_configuration, own.service
    )
    how = How(Lives(own.ca_lifetime, own.lifetime, own.seen_for))
    # Of each process: a container that is started again keeps the name of its pod.
    identity = f"{environment.get(POD_VARIABLE) or 'podgate'}-{secrets.token_hex(4)}"
    return SelfManaged(connection, places, how, certificate.take, identity).run()


def own_namespace(environment: Mapping[str, str]) -> str:
    """The namespace that podgate runs in. Raises CannotServe where nothing says so."""
    if given := environment.get(NAMESPACE_VARIABLE):
        return given
    try:
        return _NAMESPACE_FILE.read_text().strip()
    except OSError:
        raise CannotServe(f"certificate: {NAMESPACE_VARIABLE} must name podgate's own namespace") from None
