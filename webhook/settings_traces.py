"""The part of the settings about traces."""

from typing import Annotated

from webhook.settings_tree import Tree, key
from webhook.settings_values import HttpUrl, Share, sharing


class Traces(Tree):
    """OpenTelemetry traces: a span for each review, each image that is looked up, each request to a registry. Needs the
    extra `traces`. A change needs a restart."""

    endpoint: Annotated[
        HttpUrl | None,
        key(
            "Where spans are sent by OTLP over HTTP, such as http://collector:4318/v1/traces; null: nowhere. Headers "
            "and certificates come from OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_TRACES_HEADERS)."
        ),
    ] = None
    ratio: Annotated[
        Share,
        sharing(),
        key("Which share of the reviews is traced. For one that the API server has a trace of, its word counts."),
    ] = 1.0
