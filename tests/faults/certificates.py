"""Server certificates for the names of the matrix: a good one, and bad ones."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.faults.names import DOMAIN
from tests.support.certificates import certificate, server_context

LABELS = 100
"""Registries that there may be: a wildcard stands for one label, so each has its own."""


@dataclass(frozen=True)
class Certificates:
    """`authority`: the file of the one that podgate is told to trust. `bad`: by what is bad about it."""

    authority: Path
    good: ssl.SSLContext
    bad: Mapping[str, ssl.SSLContext]


def make_certificates(folder: Path) -> Certificates:
    """Made anew, with files in a folder."""
    names = [f"*.r{number}.{DOMAIN}" for number in range(LABELS)]
    trusted, other = certificate("matrix CA"), certificate("another CA")
    authority = folder / "ca.pem"
    authority.write_bytes(trusted[0].public_bytes(Encoding.PEM))
    bad = {
        "expired": certificate("registry", trusted, names=names, days=(-9, -2)),
        "not valid yet": certificate("registry", trusted, names=names, days=(2, 9)),
        "of another name": certificate("registry", trusted, names=["registry.elsewhere.example"]),
        "of an unknown authority": certificate("registry", other, names=names),
    }
    return Certificates(
        authority,
        server_context(folder, certificate("registry", trusted, names=names)),
        {what: server_context(folder, pair) for what, pair in bad.items()},
    )
