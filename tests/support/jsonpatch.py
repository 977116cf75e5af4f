"""JSON patches (RFC 6902), as far as podgate sends them."""

import json
from collections.abc import Mapping
from typing import Any


def patched(obj: Mapping[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """An object after a JSON patch of `test` and `add`. Raises LookupError where a test fails."""
    changed: dict[str, Any] = json.loads(json.dumps(obj))
    for operation in operations:
        *above, last = [int(step) if step.isdigit() else step for step in operation["path"].split("/")[1:]]
        place: Any = changed
        for step in above:
            place = place[step]
        if operation["op"] == "test":
            if place[last] != operation["value"]:
                raise LookupError(operation["path"])
        else:
            assert operation["op"] == "add"
            place[last] = operation["value"]
    return changed
