"""The tags of a repository, page by page (distribution-spec, listing tags), within bounds."""

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from webhook.core.errors import RegistryError
from webhook.core.reference import Reference
from webhook.registry.client import RegistryClient
from webhook.registry.credentials import Login
from webhook.registry.flight import Flights
from webhook.registry.places import Place, Places
from webhook.registry.wire import Reply

PAGE: Final = 1000
"""Tags asked for at a time; registries may give fewer."""
MOST_PAGES: Final = 30
MOST_TAGS: Final = 30_000
"""What is read of one repository: those of continuous builds have more, and the rest would not be looked at either."""

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;[^,<]*\brel="?next"?')


@dataclass(frozen=True, slots=True)
class TagList:
    """Tags in the registry's order. `whole`: false where there are more than are read."""

    tags: tuple[str, ...]
    whole: bool


class TagLists:
    """Lists of tags; each is asked for once for each login, good or bad."""

    def __init__(self, client: RegistryClient, places: Places) -> None:
        self._client = client
        self._places = places
        self._lists: dict[tuple[str, str, str], TagList | RegistryError] = {}
        self._flights: Flights[TagList] = Flights()

    async def of(self, reference: Reference, login: Login, deadline: float | None = None) -> TagList:
        """The tags of a reference's repository as a login sees them. `deadline`: a time of the loop's clock. Raises
        RegistryError."""
        key = reference.domain, reference.path, login.viewer
        known = self._lists.get(key)
        if isinstance(known, TagList):
            return known
        if known is not None:
            raise RegistryError(known.code, known.detail, known.exchange)
        return await self._flights.share(key, lambda: self._ask(key, reference, login), deadline)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()

    async def _ask(self, key: tuple[str, str, str], reference: Reference, login: Login) -> TagList:
        """From the first endpoint that gives any list, as one is resolved from. Nothing is tried again: it is only to
        find something to suggest."""
        failure = RegistryError("not-found", "no endpoint of the registry may be asked for tags")
        for place in await self._places.of(reference.domain):
            if not place.resolves:
                continue
            try:
                found = await self._pages(place, reference, login)
            except RegistryError as error:
                failure = error
            else:
                self._lists[key] = found
                return found
        self._lists[key] = failure
        raise failure

    async def _pages(self, place: Place, reference: Reference, login: Login) -> TagList:
        tags: dict[str, None] = {}
        query = f"n={PAGE}"
        for _ in range(MOST_PAGES):
            reply = await self._client.tags(place, reference, login, query)
            before = len(tags)
            tags.update(dict.fromkeys(_tags(reply)))
            if not reply.link:
                return TagList(tuple(tags), whole=True)
            query = _next(reply.link, place.url(reference.path, "tags", "list"))
            if not query or len(tags) > MOST_TAGS or len(tags) == before:
                break
        return TagList(tuple(tags)[:MOST_TAGS], whole=False)


def _tags(reply: Reply) -> list[str]:
    """The tags of a page. What cannot be a tag is passed over."""
    try:
        named = json.loads(reply.body)["tags"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise reply.fault("malformed", "what came is no list of tags") from None
    return [tag for tag in (named if isinstance(named, list) else ()) if isinstance(tag, str) and _TAG.fullmatch(tag)]


def _next(link: str, url: str) -> str:
    """The query of the next page; empty where there is none, or it is elsewhere: of a link only this is followed, at
    the very place that was asked."""
    found = _NEXT.search(link)
    if found is None:
        return ""
    try:
        there, here = urlsplit(urljoin(url, found[1])), urlsplit(url)
    except ValueError:
        return ""
    same = (there.netloc.lower(), there.path) == (here.netloc.lower(), here.path)
    asked = set(here.query.split("&"))
    parts = [part for part in there.query.split("&") if part not in asked]
    return "&".join(parts) if same and there.query.isascii() and there.query.isprintable() else ""
