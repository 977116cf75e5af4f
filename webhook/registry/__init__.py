"""The registry client: the only place that speaks HTTP to registries.

- resolver: ports.Images: credentials, hosts, cache and flight put together
- client: one conversation with one host: login, tokens, the document, its hash
- auth: the login as a generator without I/O
- wire: one request: redirects, limits, what a status means
- transport: httpx over httpcore, with an eye on the very address that is connected to
- faults: the one place where foreign exceptions become RegistryError
"""

from webhook.spared import spared

with spared("httpx", "_main"):
    import httpx  # noqa: F401  # its command line is left out, and it goes on without
