"""The docker configuration of a user on the command line, credential helpers included.

Which server a helper is asked for, and what counts when it fails, is as `docker pull` has it: the helper of the server
(credHelpers), else the store (credsStore); where it answers, be it that it has nothing, the file's entries do not
count; where it fails they do.

Source: github.com/docker/cli cli/config/configfile/file.go (GetAuthConfig, getConfiguredCredentialStore),
cli/config/credentials/native_store.go; docker/docker-credential-helpers client/client.go.
"""

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from webhook.core.dockerconfig import DockerConfig
from webhook.core.gojson import STRING, Struct, decode
from webhook.core.jsontree import InvalidJSON
from webhook.core.keyring import Credential, Keyring
from webhook.core.reference import Reference
from webhook.ports import Access
from webhook.registry.flight import Flights
from webhook.registry.program import Program, ProgramFailed, ending, run

_log = logging.getLogger("podgate.registry")

_SECONDS: Final = 30.0
"""For one helper: some ask a cloud's servers, some a person."""
_HUB: Final = "https://index.docker.io/v1/"
_NOTHING: Final = b"credentials not found in native keychain"
"""What a helper says where it has nothing for a server, and fails (docker-credential-helpers credentials/error.go)."""
_TOKEN_USER: Final = "<token>"  # noqa: S105  # the user name that says: the secret is an identity token


@dataclass(slots=True)
class _Answer:
    username: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


_ANSWER: Final = Struct(_Answer, {"Username": ("username", STRING), "Secret": ("secret", STRING)})


def _to_log(text: str) -> None:
    _log.warning("%s", text)


class DockerLogins:
    """OwnCredentials of a docker configuration, for every namespace. To be closed with `aclose`.

    environment: the user's, for the helpers and their PATH. note: told once, in one line, what is wrong with a helper.
    """

    def __init__(
        self, config: DockerConfig, source: str, environment: Mapping[str, str], note: Callable[[str], None] = _to_log
    ) -> None:
        self._config = config
        self._keyring = Keyring.from_logins((login, source) for login in config.logins)
        self._environment = environment
        self._note = note
        self._answers: dict[tuple[str, str], tuple[Credential, ...] | None] = {}
        self._flights: Flights[tuple[Credential, ...] | None] = Flights()

    async def lookup(self, reference: Reference, access: Access) -> Sequence[Credential]:
        """The credentials of the server's helper, else the file's by the keyring's rules. Raises RegistryError where
        the asker's time is up."""
        server = _HUB if reference.domain in ("docker.io", "index.docker.io") else reference.domain
        helper = self._config.helpers.get(server, self._config.store)
        answer = await self._answer(helper, server, access.deadline) if helper else None
        return self._keyring.lookup(reference.name) if answer is None else answer

    async def aclose(self) -> None:
        """Ends what is running."""
        await self._flights.aclose()

    async def _answer(self, helper: str, server: str, deadline: float | None) -> tuple[Credential, ...] | None:
        """What a helper says, asked once; None where it failed."""
        key = (helper, server)
        if key not in self._answers:
            self._answers[key] = await self._flights.share(key, partial(self._ask, helper, server), deadline)
        return self._answers[key]

    async def _ask(self, helper: str, server: str) -> tuple[Credential, ...] | None:
        name = f"docker-credential-{helper}"
        try:
            answer = await self._run(name, server)
        except ProgramFailed as error:
            self._note(f"{name}, for {server}: {error}")
            return None
        if not answer.secret:
            return ()
        if answer.username == _TOKEN_USER:
            return (Credential("", "", name, identity_token=answer.secret),)
        return (Credential(answer.username, answer.secret, name),)

    async def _run(self, name: str, server: str) -> _Answer:
        status, output = await run(self._program(name), server.encode("utf-8", "surrogateescape"))
        if status and output.strip() == _NOTHING:
            return _Answer()
        if status:
            raise ProgramFailed(ending(status))
        try:
            return decode(output, _ANSWER)
        except InvalidJSON:
            raise ProgramFailed("its answer is not the JSON of a credential") from None

    def _program(self, name: str) -> Program:
        """The helper on the user's PATH. As for Go's exec.LookPath, the current directory does not count."""
        path = None if os.sep in name else shutil.which(name, path=self._environment.get("PATH", os.defpath))
        if path is None or not Path(path).is_absolute():
            raise ProgramFailed("there is no such program on the PATH")
        return Program(path, ("get",), self._environment, _SECONDS)
