"""What several commands build in the same way."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from webhook.core.dockerconfig import DockerConfig, read_users_config
from webhook.core.errors import BadCredentials
from webhook.core.providerconfig import read_provider_config
from webhook.registry.addresses import AddressPolicy
from webhook.registry.files import DockerConfigFile, FileCredentials, PasswordFile
from webhook.registry.helpers import DockerLogins
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.own import OwnCredentials
from webhook.registry.providers import Plugins, PluginSettings
from webhook.report.lines import say
from webhook.settings import OwnCredential, Settings
from webhook.settings_text import read_settings_file

_AUTH_CONFIG: Final = "DOCKER_AUTH_CONFIG"
"""github.com/docker/cli cli/config/configfile/file.go, DockerEnvConfigKey."""


def registry_options(settings: Settings, own: Sequence[OwnCredentials]) -> RegistryOptions:
    """What the registry client is told; `own` are podgate's own credentials, in the order in which they are tried."""
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
        own=tuple(own),
    )


def own_credentials(settings: Settings, hooks: Hooks) -> tuple[FileCredentials | Plugins, ...]:
    """Podgate's own credentials, as settings name them. To be closed.

    Raises BadCredentials for a file that cannot be used, MalformedSettings for plugins that cannot.
    """
    where = "registries.credentials"
    entries = [_entry(entry, f"{where}[{number}]") for number, entry in enumerate(settings.registries.credentials)]
    files = (FileCredentials(entries, hooks.clock),) if entries else ()
    chosen = settings.registries.credential_providers
    if chosen is None:
        return files
    providers = read_provider_config(read_settings_file(chosen.config), chosen.config)
    plugins = PluginSettings(Path(chosen.bin_dir), providers, chosen.namespaces)
    return (*files, Plugins(plugins, hooks, "registries.credentialProviders"))


def _entry(entry: OwnCredential, where: str) -> PasswordFile | DockerConfigFile:
    if entry.docker_config_file is not None:
        return DockerConfigFile(Path(entry.docker_config_file), entry.namespaces, f"{where}.dockerConfigFile")
    assert entry.match is not None  # settings have one form or the other
    assert entry.username is not None
    assert entry.password_file is not None
    path = Path(entry.password_file)
    return PasswordFile(path, entry.namespaces, f"{where}.passwordFile", entry.match, entry.username)


def credentials_of_a_run(
    stack: AsyncExitStack, settings: Settings, environment: Mapping[str, str], problem: Callable[[str], None]
) -> tuple[OwnCredentials, ...]:
    """The credentials that a command of the command line has beside pull secrets: those of settings, then those of the
    user's docker configurations. Closed with `stack`. `problem` is told what is wrong with one of those.

    Raises as `own_credentials` does.
    """
    own = (*own_credentials(settings, Hooks()), *docker_logins(environment, say, problem))
    for source in own:
        stack.push_async_callback(source.aclose)
    return own


def docker_logins(
    environment: Mapping[str, str], note: Callable[[str], None], problem: Callable[[str], None]
) -> tuple[DockerLogins, ...]:
    """The credentials of the user's docker configurations: first $DOCKER_AUTH_CONFIG, the text of one, as docker itself
    has it and pipelines set it, then the file ($DOCKER_CONFIG, else ~/.docker); none where there is none. To be closed.

    `note` is told what is wrong with an entry or a credential helper, `problem` that a whole configuration cannot be
    read: there are no credentials from it then, as for docker, which warns and goes on.

    For the command line alone: a webhook would lend them to every namespace, and run programs for it.
    """
    home = environment.get("HOME", "")
    folder = environment.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")
    path = Path(folder) / "config.json"
    texts: dict[str, bytes] = {}
    if text := environment.get(_AUTH_CONFIG):
        texts[f"${_AUTH_CONFIG}"] = text.encode("utf-8", "surrogateescape")
    try:
        if folder:
            texts[str(path)] = path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        problem(f"{path}: {error.strerror or 'cannot be read'}")
    configs = {source: _users_config(text, source, note, problem) for source, text in texts.items()}
    return tuple(DockerLogins(config, source, environment, note) for source, config in configs.items())


def _users_config(
    text: bytes, source: str, note: Callable[[str], None], problem: Callable[[str], None]
) -> DockerConfig:
    try:
        config, doubts = read_users_config(text, source)
    except BadCredentials as error:
        problem(str(error))
        return DockerConfig()
    for doubt in doubts:
        note(doubt)
    return config
