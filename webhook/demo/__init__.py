"""podgate on one machine without a cluster: sample images, an in-process registry, sample manifests."""
