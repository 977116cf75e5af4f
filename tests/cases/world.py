"""The registries, token servers and blob stores of one case, each with a loopback address and port of its own."""

import re
import threading
import urllib.parse
from itertools import count
from typing import Any, Final, Self

from tests.cases.answers import STRAY
from tests.cases.content import CaseError, Content, Json, check_keys
from tests.cases.server import Record, Rule, Server, listen

HOST_KEYS: Final = {"auth", "strictAccept", "negotiate", "digestHeader", "behave", "repositories", "hostsToml"}
REPOSITORY_KEYS: Final = {"tags", "also", "missing", "public", "users", "refuse"}
AUTH_KEYS: Final = {"scheme", "users", "realm", "service", "challenge", "badCredentials", "anonymous", "token"}


class World:
    """A context manager. `log` holds the requests that arrived; placeholders are filled from here."""

    def __init__(self, registry: Json, content: Content) -> None:
        self.content = content
        self.log: list[Record] = []
        self.lock = threading.Lock()
        self.tokens: dict[str, tuple[str, str | None, set[str]]] = {}
        """By its text: the registry that a token is for, the user (None: nobody), and `repository:NAME:ACTION`."""
        self.registry: Json = {STRAY: {}, **registry}
        self.servers: dict[str, Server] = {}
        self.address: dict[str, str] = {}
        for host, octet in zip(self.registry, count(2), strict=False):
            self.servers[host] = listen(f"127.0.0.{octet}", self, host)
            ip, port = self.servers[host].server_address[:2]
            self.address[host] = f"{ip!s}:{port}"
        try:
            self.config: Json = {host: self._prepared(host, value or {}) for host, value in self.registry.items()}
        except BaseException:  # whatever is wrong with the case, its servers must not stay
            self._close()
            raise
        self.token_servers = self._token_servers()

    def __enter__(self) -> Self:
        for server in self.servers.values():
            # A short interval: each server looks that often whether it is to stop.
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers.values():
            server.stopping.set()
        for server in self.servers.values():
            server.shutdown()
        self._close()

    def _close(self) -> None:
        for server in self.servers.values():
            server.server_close()

    def fill(self, value: Any) -> Any:
        """A value with all placeholders replaced, to any depth."""
        if isinstance(value, str):
            text = self.content.fill(value)
            text = re.sub(r"\$\{host:([^}]*)\}", lambda match: self.address[match[1]], text)
            return re.sub(r"\$\{url:([^}]*)\}", lambda match: f"http://{self.address[match[1]]}", text)
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return value

    def hosts_toml(self, host: str) -> str:
        """What leads podgate from a host's name to its server."""
        text = (self.registry[host] or {}).get("hostsToml")
        return str(self.fill(text if text is not None else f'server = "${{url:{host}}}"\n'))

    def _token_servers(self) -> dict[tuple[str, str], str]:
        """By host and path of a token endpoint: the registry that it gives tokens for."""
        found = {}
        for host, config in self.config.items():
            if config["auth"].get("scheme") == "bearer":
                realm = urllib.parse.urlsplit(config["auth"]["realm"])
                owner = next((name for name, address in self.address.items() if address == realm.netloc), None)
                if owner:
                    found[owner, realm.path] = host
        return found

    def _prepared(self, host: str, config: Json) -> Json:
        """A host's configuration checked and filled, with the documents of its repositories laid out."""
        check_keys(host, config, HOST_KEYS)
        auth = self.fill(config.get("auth") or {})
        check_keys(f"{host} auth", auth, AUTH_KEYS)
        if auth.get("scheme") == "bearer":
            auth.setdefault("realm", f"http://{self.address[host]}/token")
        repositories = {
            name: self._repository(f"{host}/{name}", value)
            for name, value in (config.get("repositories") or {}).items()
        }
        rules = [Rule.of(f"{host} behave", self.fill(rule)) for rule in config.get("behave", [])]
        return {**config, "auth": auth, "repositories": repositories, "behave": rules}

    def _repository(self, where: str, value: Json) -> Json:
        check_keys(where, value, REPOSITORY_KEYS)
        content = self.content
        tags = {str(tag): content.name(document) for tag, document in (value.get("tags") or {}).items()}
        roots = [*tags.values(), *map(content.name, value.get("also", []))]
        missing = {content.digest(content.name(one)) for one in value.get("missing", [])}
        held = {content.digest(name): name for root in roots for name in content.reachable(root)}
        if not missing <= set(held):
            raise CaseError(f"{where}: what is missing is not there in the first place")
        digests = {digest: name for digest, name in held.items() if digest not in missing}
        return {**value, "tags": tags, "digests": digests}
