"""The kubelet's credential provider plugins, run by podgate: for registries whose credentials a node has by itself.

A plugin is a program that somebody else wrote and that runs beside podgate's own secrets, so it is confined: it comes
from binDir alone, has no environment but its own list, five seconds, and a process group that ends with it; two run at
a time. What goes wrong means no credentials from it, as in the kubelet.

Source: k8s.io/kubernetes pkg/credentialprovider/plugin, plugin.go (provide) and plugins.go (Lookup).
"""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from webhook.core.dockerconfig import Login
from webhook.core.errors import BadCredentials, MalformedSettings
from webhook.core.keyring import Credential, Keyring
from webhook.core.provideranswer import ProviderAnswer, cache_keys, read_provider_answer
from webhook.core.providerconfig import Provider
from webhook.core.reference import Reference
from webhook.ports import Access
from webhook.registry.flight import Flights
from webhook.registry.options import Hooks
from webhook.registry.own import is_lent
from webhook.registry.program import Program, ProgramFailed, ending, run

_log = logging.getLogger("podgate.registry")

_AT_A_TIME: Final = 2
_SECONDS: Final = 5.0
# A plugin that fails is not run anew for each image of each pod; a node waits as long before it pulls again.
_FAILURE_KEPT: Final = 10.0
_MOST_KEPT: Final = 1024  # answers of one plugin; users choose the images


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Where plugins are and which, and the globs on the namespaces that their credentials are lent to."""

    bin_dir: Path
    providers: tuple[Provider, ...]
    namespaces: tuple[str, ...]


class Plugins:
    """OwnCredentials from provider plugins. To be closed with `aclose`."""

    def __init__(self, settings: PluginSettings, hooks: Hooks, where: str = "credentialProviders") -> None:
        """Raises MalformedSettings, with `where` as the path, for a plugin that is no program in binDir."""
        turns = asyncio.Semaphore(_AT_A_TIME)
        self._namespaces = settings.namespaces
        self._plugins = [_Plugin(one, _found(settings.bin_dir, one, where), turns, hooks) for one in settings.providers]

    async def lookup(self, reference: Reference, access: Access) -> Sequence[Credential]:
        """The credentials of all plugins that are for this image, by the keyring's rules. Raises RegistryError where
        the asker's time is up."""
        if not is_lent(self._namespaces, access.namespace):
            return ()
        image = reference.name
        asked = [plugin for plugin in self._plugins if plugin.provider.provides_for(image)]
        answers = await asyncio.gather(*(plugin.logins(image, access.deadline) for plugin in asked))
        named = [
            (login, f"provider {plugin.provider.name}")
            for plugin, logins in zip(asked, answers, strict=True)
            for login in logins
        ]
        return Keyring.from_logins(named).lookup(image)

    async def aclose(self) -> None:
        """Ends what is running."""
        for plugin in self._plugins:
            await plugin.aclose()


def _found(bin_dir: Path, provider: Provider, where: str) -> Path:
    path = bin_dir / provider.name
    if not path.is_file() or not os.access(path, os.X_OK):
        raise MalformedSettings(f"no program {provider.name} there", f"{where}.binDir")
    return path


class _Plugin:
    """One plugin, and its answers for as long as they are good."""

    def __init__(self, provider: Provider, path: Path, turns: asyncio.Semaphore, hooks: Hooks) -> None:
        self.provider = provider
        self._program = Program(str(path), provider.args, provider.environment, _SECONDS)
        self._turns = turns
        self._hooks = hooks
        self._kept: OrderedDict[str, tuple[tuple[Login, ...], float]] = OrderedDict()
        self._flights: Flights[tuple[Login, ...]] = Flights()

    async def logins(self, image: str, deadline: float | None) -> tuple[Login, ...]:
        """What the plugin has for an image; askers for one image share one run."""
        kept = self._remembered(image)
        return kept if kept is not None else await self._flights.share(image, partial(self._ask, image), deadline)

    async def aclose(self) -> None:
        await self._flights.aclose()

    def _remembered(self, image: str) -> tuple[Login, ...] | None:
        for key in cache_keys(image):
            logins, until = self._kept.get(key, ((), 0.0))
            if until > self._hooks.clock():
                self._kept.move_to_end(key)
                return logins
        return None

    def _remember(self, key: str, logins: tuple[Login, ...], seconds: float) -> None:
        if seconds > 0:
            self._kept[key] = (logins, self._hooks.clock() + seconds)
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)

    async def _ask(self, image: str) -> tuple[Login, ...]:
        async with self._turns:
            kept = self._remembered(image)  # what came for another image meanwhile may count for this one
            if kept is not None:
                return kept
            try:
                answer = await self._answer(image)
            except (ProgramFailed, BadCredentials) as error:
                _log.warning("credential provider %s, for %s: %s", self.provider.name, image, error)
                self._hooks.on_program(self.provider.name, "failed")
                self._remember(image, (), _FAILURE_KEPT)
                return ()
            self._hooks.on_program(self.provider.name, "ok")
            lasting = self.provider.default_cache_duration if answer.cache_duration is None else answer.cache_duration
            self._remember(answer.cache_key(image), answer.logins, lasting)
            return answer.logins

    async def _answer(self, image: str) -> ProviderAnswer:
        status, output = await run(self._program, self.provider.request(image))
        if status:
            raise ProgramFailed(ending(status))
        return read_provider_answer(output, self.provider.api_version)
