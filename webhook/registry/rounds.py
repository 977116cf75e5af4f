"""A thing from whichever endpoint of a registry has it, and again where none could be asked."""

import asyncio
from collections.abc import Callable, Sequence

from webhook.core.errors import RegistryError
from webhook.core.trace import ANONYMOUS, NOBODY, Answered
from webhook.registry.cache import Key
from webhook.registry.client import Earlier, RegistryClient, Sight
from webhook.registry.credentials import OPEN, Login
from webhook.registry.faults import again
from webhook.registry.flight import Setback
from webhook.registry.options import Hooks, RegistryOptions
from webhook.registry.patience import Patience
from webhook.registry.places import Place, Places


class Rounds:
    """The endpoints of a registry in their order, the next one after any failure, as containerd does.

    Only where no endpoint has answered, the round begins anew after a while: a mirror that is down is not waited for
    while another has the image.
    """

    def __init__(self, client: RegistryClient, places: Places, options: RegistryOptions, hooks: Hooks) -> None:
        self._client = client
        self._places = places
        self._options = options
        self._hooks = hooks

    async def sight(self, login: Login, key: Key, known: Earlier | None, held: Callable[[Setback], None]) -> Sight:
        """What a key names, as a login sees it. `known`: what a tag meant when it was last asked for.

        `held` is told before each pause. Raises the RegistryError of the endpoint that got furthest.
        """
        places = [place for place in await self._places.of(key.domain) if _serves(place, key)]
        failures: dict[int, RegistryError] = {}
        patience = Patience(self._hooks, self._options.request_timeout)
        numbers: Sequence[int] = range(len(places))
        while True:
            for number in numbers:
                try:
                    sight = await self._client.document(places[number], key, login, known)
                except RegistryError as error:
                    failures[number] = again(error)  # without its trace: the frames of that hold this very table
                else:
                    self._hooks.on_answer(_answer(places[number], key, login, sight))
                    return sight
            failure = _telling([(places[number].host, error) for number, error in sorted(failures.items())])
            pause = patience.pause(failures) if failure.retryable else None
            if pause is None:
                raise again(failure)  # for the same reason
            held(Setback(failure, asyncio.get_running_loop().time() + pause.seconds))
            await self._hooks.sleep(pause.seconds)
            numbers = pause.numbers


def _answer(place: Place, key: Key, login: Login, sight: Sight) -> Answered:
    shown = login.for_tokens.credential  # as a registry's own Basic challenge takes it, a name alone is shown as well
    source = NOBODY if sight.viewer == OPEN else ANONYMOUS if shown is None else shown.source
    return Answered(key.what, key.name, place.host, bool(place.mirrors), source)


def _serves(place: Place, key: Key) -> bool:
    return place.resolves if key.what == "tag" else place.pulls


def _telling(failures: Sequence[tuple[str, RegistryError]]) -> RegistryError:
    """Of the failures of several endpoints, with their hosts, the one that got furthest (containerd's resolver,
    firstErrPriority): an answer before `not found` before none at all; its detail tells of all."""
    if not failures:
        return RegistryError("not-found", "no endpoint of the registry may be asked for this")
    if len(failures) == 1:
        return failures[0][1]
    chosen = max((error for _, error in failures), key=_progress)
    detail = "; ".join(f"{host}: {error.code}: {error.detail}" for host, error in failures)
    return RegistryError(chosen.code, detail, chosen.exchange, retryable=chosen.retryable)


def _progress(error: RegistryError) -> int:
    if error.exchange.status is None:
        return 1
    return 2 if error.code == "not-found" else 3
