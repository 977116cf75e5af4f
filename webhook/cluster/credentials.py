"""Where the API server is and who asks: kubeconfig files, or the ServiceAccount of a pod.

The loaders are the kubernetes package's; what is here chooses between them and turns their many errors into one.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from webhook.cluster.client import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    ConfigException,
    ConfigNode,
    Configuration,
    InClusterConfigLoader,
    KubeConfigLoader,
    KubeConfigMerger,
)
from webhook.cluster.kubeconfigs import NOT_INSTALLED, plugins_words, problem_of
from webhook.cluster.yamltext import EXCESSIVE, parse_yaml
from webhook.core.errors import ClusterUnavailable, MalformedObject, NoKubeconfig

_log = logging.getLogger(__name__)

Load = Callable[[Configuration], Awaitable[None]]
"""Puts server, trust and credentials into a configuration. Called again where the server refuses the credentials.

Raises ClusterUnavailable."""


def find_loader(kubeconfig: str | None, context: str | None) -> Load:
    """Choose as kubectl does. Raises ClusterUnavailable where there is nothing to choose from."""
    paths, files = _kubeconfigs(kubeconfig)
    if files:
        return _guarded(lambda configuration: _load_kubeconfig(os.pathsep.join(files), context, configuration))
    if kubeconfig:
        raise NoKubeconfig(f"no kubeconfig: {paths} does not exist")
    if context is None and os.environ.get(SERVICE_HOST_ENV_NAME):
        return service_account_loader()
    raise NoKubeconfig(
        f"no kubeconfig: {paths} does not exist, and this is no pod of a cluster; KUBECONFIG may name another one"
    )


def context_namespace(kubeconfig: str | None, context: str | None) -> str:
    """The namespace that objects without one go to by the kubeconfig (None: as find_loader finds it): that of the
    context (None: the current one), in a pod without a kubeconfig the pod's own; empty where nothing says so. kubectl
    takes the same ones.

    For a configuration that find_loader has accepted.
    """
    files = _kubeconfigs(kubeconfig)[1]
    if not files:
        return _pod_namespace()
    merged = KubeConfigMerger(os.pathsep.join(files)).config
    wanted = context or merged.safe_get("current-context")
    namespace = merged["contexts"].get_with_name(wanted)["context"].safe_get("namespace")
    return namespace if isinstance(namespace, str) else ""


def service_account_loader(token_file: str = SERVICE_TOKEN_FILENAME, ca_file: str = SERVICE_CERT_FILENAME) -> Load:
    """The ServiceAccount of the pod that this process runs in. The token's file is read again every minute."""

    async def load(configuration: Configuration) -> None:
        InClusterConfigLoader(token_filename=token_file, cert_filename=ca_file).load_and_set(configuration)

    return _guarded(load)


def _kubeconfigs(kubeconfig: str | None) -> tuple[str, list[str]]:
    """The paths of kubeconfigs, as they are named, and those that are there."""
    paths = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    return paths, [path for path in paths.split(os.pathsep) if path and Path(path).expanduser().exists()]


def _pod_namespace() -> str:
    try:
        return Path(SERVICE_TOKEN_FILENAME).with_name("namespace").read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def one_line(text: object) -> str:
    """Text from elsewhere as one line of a message."""
    return " ".join(str(text).split())[:300]


def _guarded(load: Load) -> Load:
    """The package's errors for a file without the right form are of many types; here they become one."""

    async def guarded(configuration: Configuration) -> None:
        try:
            await load(configuration)
        except ConfigException as error:
            raise ClusterUnavailable(f"the cluster's configuration cannot be used: {one_line(error)}") from None
        except (TypeError, KeyError, AttributeError):  # of the package, where a field is missing or of a wrong type
            raise ClusterUnavailable("the cluster's configuration cannot be used: it is no kubeconfig") from None
        except (OSError, ValueError, yaml.YAMLError) as error:
            problem = f"the cluster's configuration cannot be used: {type(error).__name__}: {one_line(error)}"
            raise ClusterUnavailable(problem) from None

    return guarded


async def _load_kubeconfig(paths: str, context: str | None, configuration: Configuration) -> None:
    for path in paths.split(os.pathsep):
        _refuse_bomb(path)
    try:
        merged = KubeConfigMerger(paths).config
    except yaml.YAMLError as error:
        raise ClusterUnavailable(f"the kubeconfig is not YAML: {one_line(error)}") from None
    except (TypeError, KeyError, AttributeError):  # as in `_guarded`: it is empty, or a text
        raise ClusterUnavailable(f"{paths} is no kubeconfig") from None
    names = [str(each["name"]) for each in merged["contexts"].value]
    wanted = context or merged.safe_get("current-context")
    if not wanted:
        raise ClusterUnavailable(f"{paths} has no current context; it has: {', '.join(names) or 'none'}")
    if wanted not in names:
        raise ClusterUnavailable(f"{paths} has no context {wanted!r}; it has: {', '.join(names) or 'none'}")
    problem = problem_of(merged, wanted)
    if problem:
        raise ClusterUnavailable(f"the kubeconfig {paths} cannot be used: {problem}; mend it, or name another context")
    loader = KubeConfigLoader(config_dict=_with_user(merged, wanted), active_context=wanted, config_base_path=None)
    with plugins_words() as words:
        await loader.load_and_set(configuration)
    user = _user_of(merged, wanted)
    if "exec" in user and not configuration.api_key and not configuration.cert_file:
        # The package says what is wrong with the plugin to the log, and goes on without credentials.
        entry: Mapping[str, Any] = user["exec"] if isinstance(user["exec"], Mapping) else {}
        said = one_line(": ".join(["", *words]))
        # The hint is for this very case: kubectl shows it then, too.
        mend = one_line(entry.get("installHint") or "install it") if NOT_INSTALLED in words else "log in again"
        plugin = f"the credential plugin {entry.get('command')!r} of the context {wanted!r}"
        raise ClusterUnavailable(f"{plugin} gave no credentials{said}; {mend}")
    for line in words:  # there are credentials of before
        _log.warning("the credential plugin of the context %s: %s", wanted, one_line(line))


def _refuse_bomb(path: str) -> None:
    """Raises ClusterUnavailable for aliases of aliases ("a billion laughs"), which the package would write out as text,
    and for a file that cannot be read. All else that is wrong with it is found where it is used."""
    try:
        for _ in parse_yaml(Path(path).expanduser().read_text("utf-8-sig")):
            pass
    except OSError as error:
        raise ClusterUnavailable(f"the kubeconfig {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ClusterUnavailable(f"{path} is no kubeconfig: it is not UTF-8 text") from None
    except MalformedObject as error:
        if error.problem == EXCESSIVE:
            raise ClusterUnavailable(f"{path} is no kubeconfig: {error.problem}") from None


def _user_of(merged: ConfigNode, context: str) -> Mapping[str, Any]:
    name = merged["contexts"].get_with_name(context)["context"].safe_get("user")
    user = merged["users"].get_with_name(name, safe=True) if name else None
    return (user.safe_get("user") or {}) if user is not None else {}


def _with_user(merged: ConfigNode, context: str) -> ConfigNode:
    """The package fails on a context without a user, which kubectl takes as anonymous: give it one."""
    inner = merged["contexts"].get_with_name(context)["context"]
    if not _user_of(merged, context):
        name = inner.safe_get("user") or "anonymous"
        inner.value["user"] = name
        merged.value["users"] = [each for each in merged.value["users"] if each["name"] != name]
        merged.value["users"].append({"name": name, "user": {"anonymous": True}})
    return merged
