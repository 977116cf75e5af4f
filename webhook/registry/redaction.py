"""What may be quoted from an error's body: never what the request carried, never what a token server gives.

Some servers send back what they were sent, as it is or wrapped: in JSON, HTML, a URL, hexadecimal, base64, or several
of these. No list of such wrappings is ever whole. So of an answer to a request that carried a secret plain words alone
are quoted, and of these none that is part of the secret.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final

_LEFT_OUT: Final = b"..."
# Shorter ones come to a few letters in base64, which stand in any text.
_SHORTEST_CODED: Final = 4
# What white space and JSON's punctuation leave together; a character that is escaped belongs to what it stands in.
_RUN = re.compile(rb"""(?:\\.|[^\s"{}\[\](),:\\])+|\\""", re.DOTALL)
# English, and codes like MANIFEST_UNKNOWN. Nothing that is coded has letters alone for long, save base64 of few bytes.
_WORD = re.compile(rb"[A-Za-z_]{1,20}[.;!?]?")
# A passphrase that is wrapped comes apart into words.
_LETTERS = re.compile(rb"[A-Za-z_]{3,}")
# The members of a token answer (distribution's token specification, RFC 6749 5.1, OpenID Connect), however quoted.
_TOKEN = re.compile(rb"""(?:token|access_?token|refresh_?token|id_?token)["'\\]*\s*[:=]""", re.IGNORECASE)


def redacted(body: bytes, secrets: Iterable[str]) -> bytes:
    """The words of a body without the secrets of its request; the body as it is where the request had none."""
    known = [text.encode("utf-8", "surrogateescape") for text in secrets if text]
    if not known:
        return body
    forms = {form for secret in known for form in _forms(secret)}
    parts = {part.lower() for secret in known for part in _LETTERS.findall(secret)}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    # In place of a secret stands what is no word, so that nothing is left either of what it was joined to.
    without = re.sub(b"|".join(map(re.escape, longest_first)), b"#", body, flags=re.IGNORECASE)
    words: list[bytes] = []
    for run in _RUN.findall(without):
        if _WORD.fullmatch(run) and run.rstrip(b".;!?").lower() not in parts:
            words.append(run)
        elif words[-1:] != [_LEFT_OUT]:
            words.append(_LEFT_OUT)
    return b" ".join(words)


def without_tokens(body: bytes) -> bytes:
    """A token server's error, of which nothing is left where it may hold a token."""
    return _LEFT_OUT if _TOKEN.search(body) else body


def _forms(secret: bytes) -> Iterator[bytes]:
    """The spellings of a secret that may consist of letters alone: its own, and what it becomes in base64, wherever it
    stands in what is coded, of which those characters count that have no bit of anything else."""
    yield secret
    if len(secret) < _SHORTEST_CODED:
        return
    for before in range(3):
        coded = b64encode(bytes(before) + secret)
        first = -(-before * 8 // 6)
        inner = coded[first : (before + len(secret)) * 8 // 6]
        yield from (inner, inner.translate(bytes.maketrans(b"+/", b"-_")))
