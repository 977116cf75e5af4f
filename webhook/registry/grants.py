"""Asking a token server for a token.

Passwords go by GET, as docker and CRI-O send them: every token server knows that form, where containerd's POST is
followed by a GET for many of them (404, 401, 400). Where GET is not spoken (404, 405) they go by POST, which is what
containerd's nodes log in with there. Identity tokens have no other way than POST.

Sources: distribution's specifications of tokens and of OAuth2 (docs/content/spec/auth); containerd core/remotes/docker
authorizer.go (doBearerAuth), auth/fetch.go; docker/distribution registry/client/auth/session.go (fetchToken);
containers/image docker/docker_client.go (getBearerToken, getBearerTokenOAuth2).
"""

from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from webhook.core.challenge import TokenRequest
from webhook.registry.credentials import ANONYMOUS, Login
from webhook.registry.faults import of_status
from webhook.registry.redaction import without_tokens
from webhook.registry.tokens import Grant, read_grant
from webhook.registry.wire import Ask, Reply, Wire

_CLIENT: Final = "podgate"


async def fetch_grant(wire: Wire, ask: Ask, request: TokenRequest, login: Login, wall: float) -> Grant:
    """The token for a login; `ask` is how the token server is reached, `wall` a time of 1970's clock.

    Raises RegistryError, which holds nothing of an answer that may be a token.
    """
    if login.refresh:
        fields = {"grant_type": "refresh_token", "refresh_token": login.refresh}
        return _grant(await wire.get(_post(ask, request, fields)), wall)
    known = login.viewer != ANONYMOUS
    reply = await wire.get(replace(ask, url=request.url, authorization=f"Basic {login.basic}" if known else ""))
    if known and login.credential is not None and reply.status in (404, 405):
        pair = {"username": login.credential.username, "password": login.credential.password}
        reply = await wire.get(_post(ask, request, {"grant_type": "password", **pair}))
    return _grant(reply, wall)


def _post(ask: Ask, request: TokenRequest, fields: dict[str, str]) -> Ask:
    form = [*request.form, ("client_id", _CLIENT), *fields.items()]
    return replace(ask, url=request.form_url, method="POST", form=urlencode(form, errors="surrogateescape").encode())


def _grant(reply: Reply, wall: float) -> Grant:
    if reply.status != 200:
        code, retryable = of_status(reply.status)
        if 400 <= reply.status < 500 and code not in ("denied", "rate-limited", "timeout"):
            code = "unauthorized"  # 400 and 404 too: some token servers mean wrong credentials by them
        reply = replace(reply, body=without_tokens(reply.body))
        raise reply.fault(code, f"the token server answers {reply.status}", retryable=retryable)
    try:
        return read_grant(reply.body, wall)
    except ValueError as error:
        raise reply.fault("malformed", f"the token server's answer: {error}") from error
