"""The registry client: the only place that speaks HTTP to registries."""
