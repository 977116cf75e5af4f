"""Image references, parsed and normalised as github.com/distribution/reference v0.6.0 does it.

Every part of a cluster reads `image:` with that library, so its grammar, its order of checks and its idea of what is a
registry's name are facts here: `parse_normalized` is ParseNormalizedNamed, `parse_docker_ref` is ParseDockerRef, and
`parse_image` is what podgate itself asks for.

Users write references, of any length. Below, what follows a repetition can never begin like its content, so there is
one way to match at most and giving back ends at once: the time is linear. Single characters are repeated possessively
(`++`, `*+`), which says so; groups are not, since Python before 3.11.5 gets that wrong (its issue 106052).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from webhook.core.errors import InvalidReference
from webhook.core.gotext import to_lower

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"

_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL_PREFIX = "library/"
_LONGEST_PATH = 255  # RepositoryNameTotalLengthMax; the domain does not count

_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_DOMAIN = re.compile(
    r"""(?: [a-zA-Z0-9]++ (?: -++ [a-zA-Z0-9]++ )* (?: \. [a-zA-Z0-9]++ (?: -++ [a-zA-Z0-9]++ )* )*
          | \[ [a-fA-F0-9:]++ \] )
        (?: : [0-9]++ )?""",
    re.VERBOSE,
)
_PATH = re.compile(
    r"""[a-z0-9]++ (?: (?: \. | __? | -++ ) [a-z0-9]++ )*
        (?: / [a-z0-9]++ (?: (?: \. | __? | -++ ) [a-z0-9]++ )* )*""",
    re.VERBOSE,
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}+")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*+(?:[-_+.][A-Za-z][A-Za-z0-9]*+)*:[0-9A-Fa-f]{32,}+")

_UPPER_CASE = "the name of a repository must be in lower case"
_PLACEHOLDER = re.compile(r"\{\{|\$[{(]")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*+://")

# The digest library has a grammar of its own, narrower in the algorithm (go-digest v1.0.0, Digest.Validate).
_KNOWN_ALGORITHM_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
_LOWER_CASE_HEX = re.compile(r"[a-f0-9]*+")
_ALGORITHM = re.compile(r"[a-z0-9]++(?:[.+_-][a-z0-9]++)*")


@dataclass(frozen=True, slots=True)
class Reference:
    """A normalised reference. `domain` as in the name (docker.io for Docker Hub), `path` the repository; `tag` and
    `digest` are empty where not given.

    `domain` is empty for the few names whose first part looks like a domain and is none (`a_b.example/app`):
    distribution/reference lets them pass, `parse_image` does not.
    """

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Domain and repository: what credentials are matched with and exemptions are written for."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def canonical(self) -> str:
        """The whole reference, nothing left to a default."""
        return self.name + self._suffix

    @property
    def familiar(self) -> str:
        """The reference as people write it: without docker.io and library/ (FamiliarString)."""
        if self.domain != DEFAULT_DOMAIN:
            return self.canonical
        short = self.path.removeprefix(_OFFICIAL_PREFIX)
        return (self.path if "/" in short else short) + self._suffix

    @property
    def registry_host(self) -> str:
        """The host that serves the domain, with its port if written (containerd's docker.DefaultHost)."""
        return "registry-1.docker.io" if self.domain == DEFAULT_DOMAIN else self.domain

    @property
    def pull_target(self) -> str:
        """What the registry is asked for: the digest where there is one (the tag is then never looked at), else the
        tag, else the default tag."""
        return self.digest or self.tag or DEFAULT_TAG

    def with_default_tag(self) -> "Reference":
        """The same reference, tagged `latest` where it has neither tag nor digest (TagNameOnly)."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def without_tag(self) -> "Reference":
        """The same reference by its digest alone; itself where it has no digest."""
        return replace(self, tag="") if self.tag and self.digest else self

    def __str__(self) -> str:
        return self.canonical

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_image(text: str) -> Reference:
    """The image of a container as the kubelet reads it: tag and digest kept, `latest` where neither is given.

    Raises InvalidReference where the kubelet would (its pod waits in InvalidImageName), and, with the kind
    `empty_domain`, for a name that has no registry to ask.
    """
    reference = parse_normalized(text).with_default_tag()
    if not reference.domain:
        raise InvalidReference("the first part of the name cannot be a registry", "empty_domain")
    return reference


def parse_docker_ref(text: str) -> Reference:
    """A reference as containerd's CRI reads it (ParseDockerRef): of name:tag@digest the tag is dropped, `latest` is
    added where neither is given. Raises InvalidReference."""
    return parse_normalized(text).without_tag().with_default_tag()


def parse_normalized(text: str) -> Reference:
    """A reference with registry and repository in full (ParseNormalizedNamed); no tag is added.

    Raises InvalidReference with one of the kinds identifier, uppercase, invalid_format, too_long, invalid_digest,
    digest_length, digest_algorithm. (The library's further kind, empty, cannot come about here: a name that was given
    its domain is never empty.)
    """
    if _IDENTIFIER.fullmatch(text):
        raise InvalidReference("64 hexadecimal digits name an image of a node, not a repository", "identifier")
    domain, remainder = _split_domain(text)
    name = remainder.partition(":")[0]
    if to_lower(name) != name:
        raise InvalidReference(_slip(text) or _UPPER_CASE, "uppercase")
    return _parse(f"{domain}/{remainder}")


def is_short_name(text: str) -> bool:
    """Whether CRI-O takes the text for an unqualified name, to be looked up in the node's registries.conf.

    That is stricter than the normalised form: a first part is a registry there only with a dot, a colon or as
    `localhost`, so `MyReg/app` is short although everybody else reads a registry MyReg. False for what is no
    reference. Source: IsShortName of go.podman.io/image, pkg/shortnames.
    """
    try:
        domain = _parse(text).domain
    except InvalidReference:
        return False
    return domain != "localhost" and "." not in domain and ":" not in domain


@dataclass(frozen=True, slots=True)
class CrioNames:
    """What unqualified names stand for on CRI-O nodes, as far as an operator has said what their registries.conf holds.

    `registry`: the only one of unqualified-search-registries; None: not known. `aliases`: names as they stand in
    images, without tag and digest, and the repositories that they stand for, in full ([aliases], shortnames.conf).

    Source: Resolve of go.podman.io/image, pkg/shortnames; pkg/sysregistriesv2/shortnames.go; cri-o
    internal/storage/image.go, CandidatesForPotentiallyShortImageName.
    """

    registry: str | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)

    def meant(self, text: str) -> Reference | None:
        """What CRI-O pulls for an unqualified name: its alias with the tag and digest of the text; without an alias
        registry and name written together and read as usual, so that Docker Hub alone gets its `library/`.

        None where that is not known, or is no name: `MyReg/app` is short for CRI-O alone, and behind a registry it is
        none. A kubelet takes it, and what becomes of it on the node is not podgate's to guess.
        """
        name = short_name_of(text)
        alias = self.aliases.get(name)
        if alias is None and self.registry is None:
            return None
        try:
            return parse_image(f"{self.registry}/{text}" if alias is None else f"{alias}{text[len(name) :]}")
        except InvalidReference:
            return None


def short_name_of(text: str) -> str:
    """A reference as it is written, without its tag and digest."""
    name = text.partition("@")[0]
    slash = name.rfind("/")
    return name[: slash + 1] + name[slash + 1 :].partition(":")[0]


def _split_domain(text: str) -> tuple[str, str]:
    """Registry and the rest, Docker Hub filled in (splitDockerDomain): nothing is checked yet."""
    first, slash, rest = text.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, _OFFICIAL_PREFIX + text
    if first == _LEGACY_DOMAIN:
        domain, remainder = DEFAULT_DOMAIN, rest
    elif first == "localhost" or "." in first or ":" in first or to_lower(first) != first:
        domain, remainder = first, rest
    else:
        domain, remainder = DEFAULT_DOMAIN, text
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = _OFFICIAL_PREFIX + remainder
    return domain, remainder


def _parse(text: str) -> Reference:
    """The grammar itself, without any default (the library's Parse); the order of the checks decides the kind."""
    reference = _match(text)
    if reference is None:
        if text == "":
            raise InvalidReference("the reference is empty", "empty")
        if _match(to_lower(text)) is not None:
            raise InvalidReference(_UPPER_CASE, "uppercase")
        raise InvalidReference(_slip(text) or "not of the form name[:tag][@digest]", "invalid_format")
    if len(reference.path) > _LONGEST_PATH:
        raise InvalidReference(f"the name of a repository has more than {_LONGEST_PATH} characters", "too_long")
    if reference.digest:
        _check_digest(reference.digest)
    return reference


def _slip(text: str) -> str:
    """What is wrong with a text that is no reference, where it is one of the usual slips, some of which cannot be seen
    where the text is shown; else empty. It decides nothing."""
    if _PLACEHOLDER.search(text):
        return "it holds a placeholder that nothing has filled in"
    if _SCHEME.match(text):
        return "a reference does not begin with a scheme such as https://"
    odd = next((char for char in text if not "!" <= char <= "~"), "")
    if odd.isspace():
        return "there is white space in it"
    if odd:
        return f"it holds the character U+{ord(odd):04X}, which no reference has"
    _, at, digest = text.partition("@")
    return "what follows the @ is no digest" if at and not _DIGEST.fullmatch(digest) else ""


def _match(text: str) -> Reference | None:
    """`name [":" tag] ["@" digest]` taken apart. A name has neither "@" nor, after its last slash, ":"."""
    rest, at, digest = text.partition("@")
    slash = rest.rfind("/")
    last, colon, tag = rest[slash + 1 :].partition(":")
    name = rest[: slash + 1] + last
    if (at and not _DIGEST.fullmatch(digest)) or (colon and not _TAG.fullmatch(tag)):
        return None
    first, _, path = name.partition("/")
    if _DOMAIN.fullmatch(first) and _PATH.fullmatch(path):
        return Reference(first, path, tag, digest)
    return Reference("", name, tag, digest) if _PATH.fullmatch(name) else None


def _check_digest(digest: str) -> None:
    """What go-digest demands beyond the grammar of references."""
    algorithm, _, encoded = digest.partition(":")
    digits = _KNOWN_ALGORITHM_DIGITS.get(algorithm)
    if digits is None:
        if _ALGORITHM.fullmatch(algorithm):
            raise InvalidReference("the algorithm of the digest is not supported", "digest_algorithm")
        raise InvalidReference("the algorithm of the digest is not in lower case", "invalid_digest")
    if len(encoded) != digits:
        raise InvalidReference(f"a digest by {algorithm} has {digits} digits, this one {len(encoded)}", "digest_length")
    if not _LOWER_CASE_HEX.fullmatch(encoded):
        raise InvalidReference("the digits of a digest are in lower case", "invalid_digest")
