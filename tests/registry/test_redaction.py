"""What an error's body may be quoted of."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.registry.redaction import redacted, without_tokens

secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40)
around = st.text(st.characters(max_codepoint=126), max_size=7)

CODINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "JSON": json.dumps,
    "JSON as it is": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON as PHP writes it": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON inside HTML": lambda text: html.escape(json.dumps(text)),
    "HTML": html.escape,
    "a form": urllib.parse.quote_plus,
    "a path": urllib.parse.quote,
    "a segment": lambda text: urllib.parse.quote(text, safe=""),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


twice = st.tuples(st.sampled_from(sorted(CODINGS)), st.sampled_from(sorted(CODINGS)))


@given(secrets, around, around, twice)
def test_of_a_secret_nothing_is_left_in_any_coding_or_two(
    secret: str, before: str, after: str, codings: tuple[str, str]
):
    one, other = (CODINGS[name] for name in codings)
    left = redacted(other(one(f"{before}{secret}{after}")).encode(), [secret]).decode().casefold()
    assert secret.casefold() not in left
    for coding in CODINGS.values():  # of the ways to write it the coded letters themselves
        assert coding(secret).strip('="').casefold() not in left


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("secret", ["hunter", "correct horse", 'say "friend"', "PASS/WORD", "passwörter", "a&b<c>d"])
def test_known_secrets_are_not_there(coding: str, secret: str):
    left = redacted(CODINGS[coding](f"Basic of {secret} was wrong").encode(), [secret]).decode()
    for part in secret.replace('"', " ").split():
        assert part not in left
    if coding in ("plain", "JSON", "HTML"):
        assert left.startswith("Basic of ...")
        assert "was wrong" in left


def test_what_registries_say_can_be_read():
    body = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'
    said = b"errors code DENIED message requested access to the resource is denied"
    assert redacted(body, ["hunter-2"]) == said
    assert redacted(b"<html>Your token abc-123 has expired.", ["hunter-2"]) == b"... token ... has expired."


@given(st.binary(max_size=60))
def test_without_secrets_a_body_stays_as_it_is(body: bytes):
    assert redacted(body, []) == redacted(body, [""]) == body


@given(st.binary(max_size=60), st.text(min_size=1, max_size=9))
def test_any_body_and_any_secret(body: bytes, secret: str):
    assert re.fullmatch(rb"(?:(?:[A-Za-z_]{1,20}[.;!?]?|[.]{3})(?: |$))*", redacted(body, [secret]))


@pytest.mark.parametrize(
    "body",
    [
        b'{"token": "x"}',
        b'{"access_token":"x"',
        b'{\\"refresh_token\\": \\"x\\"}',
        b"access_token=x&expires_in=3",
        b'{"errors":[],"Token" : "x"}',
        b"{'id_token': 'x'}",
    ],
)
def test_a_token_servers_error_with_a_token_in_it_is_not_quoted(body: bytes):
    assert without_tokens(body) == b"..."


@pytest.mark.parametrize(
    "body", [b'{"errors":[{"code":"UNAUTHORIZED","message":"token is not good"}]}', b"invalid token", b""]
)
def test_other_errors_of_a_token_server_are(body: bytes):
    assert without_tokens(body) == body
