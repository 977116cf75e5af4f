"""The part of the settings about nodes: those that may come, and what of those that are there is passed over."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from webhook.core.errors import MalformedPlatform
from webhook.core.shapes import shape_platform
from webhook.settings_tree import Tree, key, listed
from webhook.settings_values import Labels, NonEmpty, PlatformText, RuntimeText

Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class DeclaredTaint(Tree):
    """A taint of a declared node."""

    key: Annotated[NonEmpty, key("The taint's key.")]
    value: Annotated[str, key("The taint's value.")] = ""
    effect: Annotated[Effect, key("What it does to pods that do not tolerate it.")]


class DeclaredNode(Tree):
    """A node shape that may come, such as an autoscaler's: judged like a node that is there."""

    platform: Annotated[
        PlatformText,
        key(
            "os/architecture[/variant], for Windows with :os.version (or its label). A word that nobody knows is "
            "refused, unless the label says it too."
        ),
    ]
    runtime: Annotated[RuntimeText, key("The container runtime as nodes name it, such as containerd://2.1.4.")] = ""
    labels: Annotated[Labels, key("Labels beside kubernetes.io/os and kubernetes.io/arch.")] = Field(
        default_factory=dict
    )
    taints: Annotated[tuple[DeclaredTaint, ...], listed("Taints.")] = ()

    @model_validator(mode="after")
    def _of_a_kind(self) -> Self:
        """A slip must not deny what runs (core/shapes.py)."""
        try:
            shape_platform(self.platform, self.labels)
        except MalformedPlatform as error:
            raise ValueError(error.problem) from error
        return self


class Nodes(Tree):
    """Which nodes count beside those that exist."""

    declared: Annotated[tuple[DeclaredNode, ...], listed("Node shapes that may come.")] = ()
    node_pools: Annotated[bool, key("Read Karpenter's NodePools where that API is served.")] = True
    transient_taints: Annotated[
        tuple[NonEmpty, ...],
        listed("Prefixes of taints that pass by themselves, and so keep no pod away, beside those that are built in."),
    ] = ()
