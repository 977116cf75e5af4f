"""What several commands build in the same way."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

from webhook.core.errors import BadCredentials
from webhook.core.keyring import Keyring
from webhook.registry.addresses import AddressPolicy
from webhook.registry.options import RegistryOptions
from webhook.settings import Settings


def registry_options(settings: Settings, own: Keyring) -> RegistryOptions:
    """What the registry client is told; `own` are the process's credentials, tried after a pod's pull secrets."""
    registries = settings.registries
    return RegistryOptions(
        hosts_dir=Path(registries.hosts_dir) if registries.hosts_dir else None,
        addresses=AddressPolicy(
            allowed=tuple(map(ip_network, registries.allowed_addresses)),
            denied=tuple(map(ip_network, registries.denied_addresses)),
        ),
        allowed_hosts=registries.allowed_hosts,
        realms=tuple((realm.registry, realm.realm) for realm in registries.realms),
        request_timeout=registries.request_timeout,
        concurrency_per_host=registries.concurrency_per_host,
        cache_bytes=settings.cache.max_bytes,
        tag_ttl=settings.cache.tag_ttl,
        negative_ttl=settings.cache.negative_ttl,
        stale_for=settings.cache.stale_for,
        own=own,
    )


def docker_config(environment: Mapping[str, str]) -> Keyring:
    """The credentials of the user's docker configuration ($DOCKER_CONFIG, else ~/.docker); none where there is none.

    Raises BadCredentials where it is there and cannot be read.
    """
    home = environment.get("HOME", "")
    folder = environment.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    path = Path(folder) / "config.json"
    try:
        return Keyring.from_docker_config(path.read_bytes(), str(path)) if folder else Keyring()
    except FileNotFoundError:
        return Keyring()
    except OSError as error:
        raise BadCredentials(error.strerror or "cannot be read", str(path)) from error
