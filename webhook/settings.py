"""Settings: one frozen tree, from a YAML file and the environment.

Keys are camelCase, as in the configuration files of Kubernetes. Unknown keys, wrong types and values out of range are
refused with the key's path (MalformedSettings). docs/settings.md is made from this module (settings_doc.py): whoever
changes a key here makes it anew.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError

from webhook.core.errors import MalformedSettings
from webhook.core.kinds import JUDGED, FurtherKind, Kinds, parse_way, plural_of
from webhook.core.reference import CrioNames
from webhook.settings_errors import first_problem
from webhook.settings_nodes import Nodes
from webhook.settings_server import Certificate, Server
from webhook.settings_text import from_environment, lay, read_settings_file, variable
from webhook.settings_traces import Traces
from webhook.settings_tree import Tree as _Tree
from webhook.settings_tree import key as _key
from webhook.settings_tree import listed as _list
from webhook.settings_values import (
    ONE_FORM,
    Aliases,
    Bytes,
    GroupName,
    Host,
    KindName,
    Network,
    NonEmpty,
    Pattern,
    RealmText,
    ResourceName,
    Seconds,
    ShortNames,
    TemplatePath,
    counting,
    lasting,
    sized,
)

CONFIG_VARIABLE: Final = "PODGATE_CONFIG"
"""The environment variable that names the settings file where --config does not."""

Action = Literal["allow", "warn", "deny"]
Mode = Literal["deny", "warn", "audit", "off"]


class Decisions(_Tree):
    """What follows from each reason: `allow` is silent, `warn` lets the request through, `deny` refuses it."""

    mismatch: Annotated[Action, _key("The images fail on every node that the pod may land on.")] = "deny"
    partial: Annotated[Action, _key("They run on some of these nodes and fail on others.")] = "warn"
    undetermined: Annotated[Action, _key("They are not known to run on any, and not known to fail on all.")] = "warn"
    no_candidates: Annotated[Action, _key("There is no node that the pod may land on.")] = "warn"
    daemon_set_pods: Annotated[
        Action,
        _key(
            "A mismatch of a pod that a DaemonSet has made. Its controller stops a whole batch at the first refusal, "
            "and healthy nodes go without: leave denying to the DaemonSet itself."
        ),
    ] = "warn"


class Kind(_Tree):
    """A further kind with a pod template, judged as a Deployment is; docs/custom-kinds.md has examples, and what else
    it takes. A change needs a restart."""

    group: Annotated[GroupName, _key("The API group, of which every version counts.")]
    resource: Annotated[ResourceName, _key("The plural, as `kubectl api-resources` shows it.")]
    pod_template: Annotated[
        TemplatePath,
        _key(
            "The way to the pod template (what holds `metadata` and `spec` of a pod): names of fields, with a dot "
            "before each, and nothing else. An object that has nothing there is not judged."
        ),
    ] = ".spec.template"
    kind: Annotated[
        KindName,
        _key("The kind, where it is not the plural's: `pod` and `pods`, `proxy` and `proxies`, `class` and `classes`."),
    ] = ""
    daemon_set: Annotated[
        bool, _key("Its pods go to every node that takes them, and each has to run where it goes, as a DaemonSet's.")
    ] = False


def _distinct(kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """No kind has two pod templates, and Kubernetes' own have theirs already."""
    named = [(kind.group, kind.resource) for kind in kinds]
    taken = {(group, plural_of(kind)) for group, kind in JUDGED}
    for number, (group, resource) in enumerate(named):
        if (group, resource) in taken:
            raise ValueError(f"{resource}.{group} are judged already")
        if (group, resource) in named[:number]:
            raise ValueError(f"{resource}.{group} stands twice")
    return kinds


class Exempt(_Tree):
    """What is never judged. `*` in a glob stands for anything, a slash too."""

    namespaces: Annotated[tuple[NonEmpty, ...], _list("Globs on namespaces.")] = ("kube-system",)
    images: Annotated[
        tuple[NonEmpty, ...],
        _list(
            "Globs on normalised image names without tag and digest (docker.io/library/busybox); these count as "
            "running everywhere."
        ),
    ] = ()


class Realm(_Tree):
    """A token service that may get a registry's credentials although it belongs to another domain."""

    registry: Annotated[Host, _key("The registry's host, as references name it.")]
    realm: Annotated[RealmText, _key("The token service: a URL, of which origin and path count, or host[:port].")]


class OwnCredential(_Tree):
    """Credentials of podgate's own: `match`, `username` and `passwordFile`, or `dockerConfigFile` alone. Files are read
    again when they change."""

    docker_config_file: Annotated[
        NonEmpty | None,
        _key("A docker configuration (config.json, .dockerconfigjson); its credential helpers are not run."),
    ] = None
    match: Annotated[
        Pattern | None,
        _key(
            "The images: host[:port][/path], by the rules for the keys of pull secrets: `*` within a label of the "
            "host, a path as a prefix."
        ),
        ONE_FORM,
    ] = Field(default=None, validate_default=True)
    username: Annotated[NonEmpty | None, _key("The user's name."), ONE_FORM] = Field(
        default=None, validate_default=True
    )
    password_file: Annotated[
        NonEmpty | None, _key("A file with the password; a line break at its end does not count."), ONE_FORM
    ] = Field(default=None, validate_default=True)
    namespaces: Annotated[
        tuple[NonEmpty, ...],
        Field(description="Globs on the namespaces that they are lent to.", strict=False, min_length=1),
    ]


class CredentialProviders(_Tree):
    """Credential provider plugins of the kubelet's kind, run by podgate itself. They get no environment but the `env`
    of their entry, 5 s, and no token of a ServiceAccount (tokenAttributes is refused)."""

    config: Annotated[NonEmpty, _key("A file with a CredentialProviderConfig (kubelet.config.k8s.io/v1).")]
    bin_dir: Annotated[NonEmpty, _key("The folder that the plugins' programs are in.")]
    namespaces: Annotated[
        tuple[NonEmpty, ...],
        Field(description="Globs on the namespaces that their credentials are lent to.", strict=False, min_length=1),
    ]


class Registries(_Tree):
    """How registries are reached, and which must not be."""

    short_names: Annotated[
        ShortNames | None,
        _key(
            "The registry that an unqualified name (`nginx:1`) belongs to on CRI-O nodes, such as docker.io: the only "
            "one of `unqualified-search-registries` in their registries.conf. null: not known, and such an image is "
            "uncertain there; leave it so where nodes have several."
        ),
    ] = None
    short_name_aliases: Annotated[
        Aliases,
        _key(
            "What single unqualified names stand for on CRI-O nodes, before `shortNames`: the `aliases` of their "
            "registries.conf and shortnames.conf, such as `fedora: registry.fedoraproject.org/fedora`."
        ),
    ] = Field(default_factory=dict)
    hosts_dir: Annotated[
        NonEmpty | None,
        _key("A folder in containerd's certs.d layout: mirrors, plain HTTP, CAs, client certificates."),
    ] = None
    allowed_addresses: Annotated[
        tuple[Network, ...],
        _list(
            "CIDRs that may be connected to although they are loopback, link-local, unspecified, multicast, "
            "broadcast or a metadata service's."
        ),
    ] = ()
    denied_addresses: Annotated[
        tuple[Network, ...], _list("CIDRs that may not be connected to although they are none of these.")
    ] = ()
    allowed_hosts: Annotated[
        tuple[NonEmpty, ...], _list("Globs on registry hosts; where there are any, no other registry is asked.")
    ] = ()
    realms: Annotated[
        tuple[Realm, ...],
        _list(
            "Token services of other domains that may get a registry's credentials. Those of a registry's own domain "
            "(above or below its host) may without saying so, and Docker Hub's. A self-hosted GitLab whose registry "
            "is a sibling of its web host needs an entry: registry.example.com gets its tokens from "
            "https://gitlab.example.com/jwt/auth."
        ),
    ] = ()
    credentials: Annotated[
        tuple[OwnCredential, ...],
        _list(
            "Credentials of podgate's own, lent to the namespaces that each names, and tried after the pull secrets. A "
            "namespace that an entry does not name sees nothing of what it found."
        ),
    ] = ()
    credential_providers: Annotated[
        CredentialProviders | None,
        _key("Credential provider plugins of the kubelet's kind, tried after `credentials`."),
    ] = None
    request_timeout: Annotated[
        Seconds,
        lasting("1ms", "5m"),
        _key("For one request with its redirects; the wait for its turn may take as long again."),
    ] = 5.0
    concurrency_per_host: Annotated[
        int, counting(1, 1024), _key("Requests to one host at a time; more of them wait.")
    ] = 64

    @property
    def crio_names(self) -> CrioNames:
        """What is known of unqualified names on CRI-O nodes."""
        return CrioNames(self.short_names, self.short_name_aliases)


class Cache(_Tree):
    """What is remembered of registries, and for how long. Content that is named by digest never changes."""

    max_bytes: Annotated[Bytes, sized("1Mi", "64Gi"), _key("Memory for documents; the least used go first.")] = 32 << 20
    tag_ttl: Annotated[
        Seconds,
        lasting("0s", "24h"),
        Field(alias="tagTTL", description="How long a tag counts as unmoved."),
    ] = 60.0
    negative_ttl: Annotated[
        Seconds,
        lasting("0s", "1h"),
        Field(alias="negativeTTL", description="How long a failure is remembered."),
    ] = 10.0
    stale_for: Annotated[
        Seconds,
        lasting("0s", "720h"),
        _key("How long a tag's last meaning stands in for a registry that is down; 0s: never."),
    ] = 86400.0


class Log(_Tree):
    """What `serve` logs to standard error, and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _key("The least grave that is logged.")] = "info"
    format: Annotated[Literal["json", "text"], _key("One JSON object a line, or text for people.")] = "json"


class Settings(_Tree):
    """The whole tree; the defaults are those of the command line (manifests/ and the chart begin with mode warn)."""

    mode: Annotated[
        Mode,
        _key(
            "For namespaces that say nothing: `deny`; `warn`, which denies nothing; `audit`, which only writes audit "
            "annotations, metrics and the log; `off`."
        ),
    ] = "deny"
    namespace_label: Annotated[
        Literal["any", "stricter", "ignored"],
        _key(
            "Whether the label podgate.dev/mode of a namespace changes the mode: `any` (it is trusted, as Pod "
            "Security's labels are), only to a `stricter` one, or it is `ignored`."
        ),
    ] = "any"
    decisions: Annotated[Decisions, _key("What follows from each reason.")] = Decisions()
    binding: Annotated[
        Literal["off", "warn", "deny"],
        _key(
            "Judge a pod again when it is bound to a node, on that node alone: `warn` binds it and writes an Event on "
            "the pod, `deny` refuses. The cost of `deny`: the scheduler forgets a refusal and may pick the same node "
            "for ever, though others fit; the pod stays Pending, with a FailedScheduling Event that has podgate's "
            "text. What podgate does not know (node, pod, image) is warned of at most, and so is a DaemonSet's pod "
            "unless `decisions.daemonSetPods` is `deny` too. Needs a further right and a further rule of the webhook's "
            "configuration (manifests/components/binding); without a cluster bindings are let through."
        ),
    ] = "off"
    events: Annotated[
        bool,
        _key(
            "Write an Event for each warning: on the controlling owner of a pod, on the pod itself where it has none "
            "or is being bound, and on whatever else is judged. A text is not repeated for ten minutes. Needs the "
            "right to create Events; without a cluster none are written."
        ),
    ] = True
    kinds: Annotated[
        tuple[Kind, ...], AfterValidator(_distinct), _list("Further kinds with a pod template, judged as Deployments.")
    ] = ()
    nodes: Annotated[Nodes, _key("Which nodes count beside those that exist.")] = Nodes()
    exempt: Annotated[Exempt, _key("What is never judged.")] = Exempt()
    registries: Annotated[Registries, _key("How registries are reached, and which must not be.")] = Registries()
    cache: Annotated[Cache, _key("What is remembered of registries.")] = Cache()
    deadline_margin: Annotated[
        Seconds, lasting("0s", "30s"), _key("Kept back from the API server's timeout, for the way back.")
    ] = 1.0
    log: Annotated[Log, _key("What is logged.")] = Log()
    server: Annotated[Server, _key("Where `serve` listens.")] = Server()
    certificate: Annotated[Certificate, _key("Where the serving certificate comes from.")] = Certificate()
    traces: Annotated[Traces, _key("OpenTelemetry traces.")] = Traces()


def judged_kinds(settings: Settings) -> Kinds:
    """The kinds that are judged under these settings."""
    return Kinds(
        FurtherKind(one.group, one.resource, parse_way(one.pod_template), one.kind, one.daemon_set)
        for one in settings.kinds
    )


def load_settings(path: str | None, environment: Mapping[str, str]) -> Settings:
    """The settings of a file (None: the one that PODGATE_CONFIG names, else the defaults), with the environment on top.

    A variable PODGATE_ and the key's path in capitals, such as PODGATE_MODE or PODGATE_CACHE_TAG_TTL, sets a key that
    holds a single value. Raises MalformedSettings, whose text names the file or variable, and the key.
    """
    chosen = chosen_file(path, environment)
    return settings_over(read_settings_file(chosen) if chosen else {}, chosen or "settings", environment)


def chosen_file(path: str | None, environment: Mapping[str, str]) -> str | None:
    """The settings file that counts: the one that is named, else that of PODGATE_CONFIG, else none."""
    return path or environment.get(CONFIG_VARIABLE) or None


def settings_over(tree: dict[str, Any], name: str, environment: Mapping[str, str]) -> Settings:
    """The settings of a file's tree, over which the environment is laid. Raises MalformedSettings."""
    set_by = {}
    for keys, value in from_environment(Settings, environment):
        lay(tree, keys, value)
        set_by[".".join(keys)] = variable(keys)
    return _parse(tree, name, set_by)


def parse_settings(tree: Mapping[str, object], name: str = "settings") -> Settings:
    """Settings from a tree as YAML gives it; raises MalformedSettings."""
    return _parse(tree, name, {})


def _parse(tree: Mapping[str, object], name: str, set_by: Mapping[str, str]) -> Settings:
    """`set_by` has the variables by the keys that they have set, for the errors."""
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        key, problem = first_problem(error)
        raise MalformedSettings(problem, _where(name, key, set_by)) from None


def _where(name: str, key: str, set_by: Mapping[str, str]) -> str:
    return f"{set_by[key]} ({key})" if key in set_by else f"{name}: {key}"
