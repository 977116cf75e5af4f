"""Registries for one run of the command line: asked, remembered in a cache folder, or offline."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from webhook.core.errors import MalformedInput
from webhook.ports import Images
from webhook.registry.kept import Keeping, KeptImages, default_folder
from webhook.registry.options import RegistryOptions
from webhook.registry.resolver import RegistryImages


@dataclass(frozen=True, slots=True)
class CacheChoice:
    """What a command was told of the cache folder. `folder` None: the user's own, where there is to be one at all
    (`always`, or offline). ttl: seconds for which what a tag was is not asked for again."""

    folder: str | None = None
    offline: bool = False
    always: bool = False
    ttl: float = 0.0

    def path(self, environment: Mapping[str, str]) -> Path | None:
        """The folder; None where none is wanted, or the user has no home to have one in.

        Raises MalformedInput where offline there has to be one.
        """
        if self.folder:
            return Path(self.folder)
        found = default_folder(environment) if self.offline or self.always else None
        if self.offline and found is None:
            raise MalformedInput("needs a cache folder; name one with --cache-dir", "--offline")
        return found


async def open_images(
    stack: AsyncExitStack,
    options: RegistryOptions,
    choice: CacheChoice,
    environment: Mapping[str, str],
    note: Callable[[str], None],
) -> Images:
    """Registries as a command is to see them, closed with `stack`. Raises MalformedInput."""
    folder = choice.path(environment)
    asked = None if choice.offline else await stack.enter_async_context(RegistryImages(options))
    if folder is None:
        assert asked is not None  # or `path` has raised
        return asked
    return await stack.enter_async_context(KeptImages(asked, options, Keeping(folder, choice.ttl), note))
