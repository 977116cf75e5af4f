"""Which pull secrets a pod has, by the rule of ServiceAccount admission and the kubelet."""

import asyncio
from typing import Protocol

from webhook.cluster.objects import is_object_name
from webhook.core.keyring import PullSecret
from webhook.core.workload import PodConstraints


class SecretSource(Protocol):
    """Where single Secrets and ServiceAccounts are read from."""

    async def secret(self, namespace: str, name: str) -> PullSecret | None:
        """A pull secret; None where there is none of this name, or it is of a type that does not count.

        Raises BadCredentials where it cannot be used or must not be read, ClusterUnavailable where nobody answers.
        """
        ...

    async def service_account_secrets(self, namespace: str, name: str) -> tuple[str, ...] | None:
        """The imagePullSecrets of a ServiceAccount; None where it is not known. Raises as `secret` does."""
        ...


async def read_pull_secrets(
    source: SecretSource, namespace: str, constraints: PodConstraints, *, template: bool
) -> tuple[PullSecret, ...]:
    """The pull secrets that exist, in the pod's order.

    The ServiceAccount's count only where the pod names none, and only for pods that are still to be made
    (plugin/pkg/admission/serviceaccount); then the ServiceAccount is `default` where none is named. A missing secret is
    skipped, and an empty name too (the kubelet's getPullSecretsForPod). The first secret, in order, that is malformed
    or forbidden raises BadCredentials.
    """
    names = constraints.pull_secrets
    if template and not names:
        account = constraints.service_account or "default"
        if is_object_name(account):
            names = await source.service_account_secrets(namespace, account) or ()
    # A name given twice adds the same credentials twice, which changes nothing.
    wanted = [name for name in dict.fromkeys(names) if is_object_name(name)]
    if not wanted:
        return ()
    found = await asyncio.gather(*(source.secret(namespace, name) for name in wanted), return_exceptions=True)
    secrets = []
    for each in found:
        if isinstance(each, BaseException):
            raise each
        if each is not None:
            secrets.append(each)
    return tuple(secrets)
