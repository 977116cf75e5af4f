"""The parts of the chart's values.schema.json that are made: podgate's settings, and the Kubernetes types it mentions.

The settings' come from the settings model, the Kubernetes types' from the models of the kubernetes package, so that a
misspelt key is refused at every depth. The rest of the file is written by hand and left as it is.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import kubernetes.client
from pydantic import BaseModel

from webhook.settings import Settings
from webhook.settings_doc import _bounds, _fields, _inner

OF_THE_CHART: Final = frozenset(
    {f"certificate.{key}" for key in ("mode", "secret", "lease", "webhookConfiguration", "service")}
)
"""Settings that follow from other values of the chart, so that nobody may set them."""

_SETTINGS: Final = "settings"
_KUBERNETES: Final = "kubernetes."
_QUANTITIES: Final = {
    "V1ResourceRequirements": ("limits", "requests"),
    "V1VolumeResourceRequirements": ("limits", "requests"),
    "V1EmptyDirVolumeSource": ("sizeLimit",),
    "V1ResourceFieldSelector": ("divisor",),
}
"""Fields of type Quantity, which the models call text; YAML reads `cpu: 2` as a number."""

Schema = dict[str, Any]


def with_made_parts(text: str) -> str:
    """values.schema.json with its made parts made anew."""
    schema = json.loads(text)
    schema["definitions"] = {
        name: definition for name, definition in schema["definitions"].items() if not _is_made(name)
    }
    schema["definitions"] |= dict(_kubernetes_types(schema)) | settings_definitions()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _is_made(name: str) -> bool:
    return name == _SETTINGS or name.startswith((f"{_SETTINGS}.", _KUBERNETES))


def settings_definitions() -> dict[str, Schema]:
    """Definitions of the settings tree: `settings` and, below it, `settings.Cache` and the like."""
    made = Settings.model_json_schema(by_alias=True, ref_template=f"#/definitions/{_SETTINGS}.{{model}}")
    definitions = {f"{_SETTINGS}.{name}": definition for name, definition in made.pop("$defs").items()}
    definitions[_SETTINGS] = made
    for path, model in _models(Settings, ""):
        definition = definitions[_SETTINGS if model is Settings else f"{_SETTINGS}.{model.__name__}"]
        for key, field in _fields(model, ""):
            full = f"{path}.{key}" if path else key
            if full in OF_THE_CHART:
                definition["properties"].pop(key, None)
            elif (bounds := _bounds(field)) is not None and bounds.measure == "number":
                definition["properties"][key] |= {"minimum": int(bounds.least), "maximum": int(bounds.most)}
    return {name: _plain(definition) for name, definition in sorted(definitions.items())}


def _models(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for full, field in _fields(model, path):
        inner, _ = _inner(field.annotation)
        if inner is not None:
            yield from _models(inner, full)


def _plain(node: Any) -> Any:
    """Without pydantic's titles and defaults, which are Python's; what may be null needs no mention of it twice."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _plain(value) for key, value in node.items() if key not in ("title", "default") or _is_schema(value)}
    if isinstance(description := kept.get("description"), str):
        kept["description"] = " ".join(description.split())
    return kept


def _is_schema(value: object) -> bool:
    """Whether `title` or `default` is the name of a property."""
    return isinstance(value, dict) and bool(value.keys() & {"type", "$ref", "anyOf"})


def _kubernetes_types(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Each type that the schema refers to, and each that these refer to."""
    definitions: dict[str, Schema] = {}
    for name in sorted(set(re.findall(rf"#/definitions/{_KUBERNETES}(\w+)", json.dumps(schema)))):
        model: type[BaseModel] = getattr(kubernetes.client, name)
        made = model.model_json_schema(by_alias=True, ref_template=f"#/definitions/{_KUBERNETES}{{model}}")
        definitions |= made.pop("$defs", {})
        definitions[name] = made
    definitions.pop("V1ManagedFieldsEntry")  # of metadata: the API server's to write, and its form is open
    definitions["V1ObjectMeta"]["properties"].pop("managedFields")
    for name in sorted(definitions):
        definition = _undescribed(_plain(definitions[name]))
        for key in _QUANTITIES.get(name, ()):
            form = definition["properties"][key]
            definition["properties"][key] = json.loads(json.dumps(form).replace('"type": "string"', _QUANTITY))
        yield _KUBERNETES + name, definition


_QUANTITY: Final = '"type": ["string", "number"]'


def _undescribed(node: Any) -> Any:
    """Without Kubernetes' descriptions, which would make most of the file."""
    if isinstance(node, list):
        return [_undescribed(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: _undescribed(value) for key, value in node.items() if key != "description" or _is_schema(value)}
