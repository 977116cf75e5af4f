"""kopf, without the models of the Kubernetes client, whose objects it would know if handlers gave it any."""

from webhook.spared import spared

with spared("kubernetes", "client"):
    import kopf

__all__ = ["kopf"]
