"""The parts of the settings about the server: where it listens, and where its certificate comes from."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from webhook.settings_tree import Tree, key
from webhook.settings_values import Bytes, NonEmpty, ObjectName, Seconds, counting, lasting, sized


class Server(Tree):
    """Where `serve` listens. Port 0 is any free one; it is logged."""

    address: Annotated[str, key("The address to listen on; empty: all.")] = ""
    port: Annotated[int, counting(0, 65535), key("The port for reviews, HTTPS.")] = 8443
    metrics_port: Annotated[
        int, counting(0, 65535), key("The port for /metrics, /livez and /readyz, plain HTTP; it has no secret.")
    ] = 8080
    certificate_dir: Annotated[NonEmpty, key("The folder with tls.crt and tls.key; read again when they change.")] = (
        "/etc/podgate/tls"
    )
    max_body_bytes: Annotated[Bytes, sized("1Mi", "128Mi"), key("The largest review that is read.")] = 16 << 20
    shutdown_delay: Annotated[
        Seconds,
        lasting("0s", "5m"),
        key("How long reviews are served after SIGTERM, so that every API server learns of it first."),
    ] = 10.0


class Certificate(Tree):
    """Where the serving certificate comes from."""

    mode: Annotated[
        Literal["files", "selfManaged"],
        key(
            "`files`: from `server.certificateDir`, where somebody puts it. `selfManaged`: podgate makes it, and its "
            "authority, keeps both in `secret`, renews them, and writes the authority into `webhookConfiguration`; "
            "needs a cluster, and the rights for it (manifests/rbac.yaml)."
        ),
    ] = "files"
    secret: Annotated[ObjectName, key("The Secret, in podgate's own namespace; it must be there, empty at first.")] = (
        "podgate-tls-self"  # noqa: S105  # the name of one
    )
    lease: Annotated[
        ObjectName | None,
        key("The Lease that spares replicas from the same work, if it is there. null: it is called as the Secret."),
    ] = None
    webhook_configuration: Annotated[
        ObjectName, key("podgate's ValidatingWebhookConfiguration, of which nothing but each `caBundle` is written.")
    ] = "podgate"
    service: Annotated[ObjectName, key("The Service that API servers call, for the names in the certificate.")] = (
        "podgate"
    )
    lifetime: Annotated[
        Seconds,
        lasting("10s", "9600h"),
        key("How long a serving certificate is good; it is replaced at two thirds."),
    ] = 90 * 86400.0
    ca_lifetime: Annotated[
        Seconds,
        lasting("30s", "96000h"),
        key("How long an authority is good, at least three times as long; it is replaced at two thirds."),
    ] = 730 * 86400.0
    seen_for: Annotated[
        Seconds,
        lasting("0s", "10m"),
        key(
            "For how long a new authority must have been in the `caBundle`, so that every API server has it, before a "
            "certificate of it is served."
        ),
    ] = 30.0

    @model_validator(mode="after")
    def _outlasting(self) -> Self:
        """An authority is replaced when a third of its life is left, and has to outlast what it signs until then."""
        if self.ca_lifetime < 3 * self.lifetime:
            raise ValueError("caLifetime must be at least three times lifetime")
        return self
