"""`podgate inspect`: registries, and what is told of them, put together for one run."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TextIO

from webhook.app.parts import docker_logins, own_credentials, registry_options
from webhook.app.surroundings import in_environment
from webhook.inspection import Inspection, inspect
from webhook.observability import logs
from webhook.ports import Access
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.resolver import RegistryImages
from webhook.report.inspect_document import inspect_document
from webhook.report.inspect_table import print_inspections
from webhook.report.lines import deliver, say
from webhook.settings import Settings, load_settings

AT_ONCE: Final = 8
"""Images that are looked up side by side, each with connections of its own."""


@dataclass(frozen=True, slots=True)
class InspectRequest:
    """The options of `podgate inspect`. `namespace`: whose credentials of the settings may be used; empty: those that
    are lent to all."""

    images: tuple[str, ...]
    config: str | None = None
    namespace: str = ""
    output: str = "table"


def run_inspect(request: InspectRequest, environment: Mapping[str, str], output: TextIO | None) -> int:
    """`podgate inspect`: prints results to `output` (None: it is closed), and a line for each fault to standard error.

    Returns the exit code: 0 where all is known and the docker configuration can be read, else 2. Raises MalformedInput
    where nothing can be begun.
    """
    settings = load_settings(request.config, environment)
    logs.set_up("error", "text")
    problems: list[str] = []
    inspections = asyncio.run(_inspect(request, settings, environment, problems))

    def write(stream: TextIO) -> None:
        if request.output == "json":
            stream.write(json.dumps(inspect_document(inspections), indent=2) + "\n")
        else:
            print_inspections(inspections, stream)

    deliver(output, write)
    for one in inspections:
        for code, text in one.faults:
            say(f"{one.image}: {code}: {text}")
    for line in problems:
        say(line)
    return 2 if problems or any(one.faults for one in inspections) else 0


async def _inspect(
    request: InspectRequest, settings: Settings, environment: Mapping[str, str], problems: list[str]
) -> list[Inspection]:
    async with contextlib.AsyncExitStack() as stack:
        own = (*own_credentials(settings, Hooks()), docker_logins(environment, say, problems.append))
        for source in own:
            stack.push_async_callback(source.aclose)
        options = in_environment(registry_options(settings, own), environment)
        slots = asyncio.Semaphore(AT_ONCE)
        named = dict.fromkeys(request.images)
        return await asyncio.gather(*(_one(image, options, Access(request.namespace), slots) for image in named))


async def _one(image: str, options: RegistryOptions, access: Access, slots: asyncio.Semaphore) -> Inspection:
    """An image, by a client of its own: what is told of it is what it takes to find it out, whatever else is asked."""
    inspection = Inspection(image)
    trace = inspection.trace
    hooks = replace(
        Hooks(), on_exchange=trace.requests.append, on_answer=trace.answers.append, on_cache=trace.looked_up
    )
    async with slots, RegistryImages(options, hooks) as images:
        await inspect(inspection, images, access)
    return inspection
