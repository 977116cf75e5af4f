"""The cluster's state as podgate needs it: nodes, namespaces, secrets; from an API server or from files."""
