"""The composition root: the only modules that build adapters and hand them to the service, one for each command.

They are apart so that a command loads what it needs: `check` against files needs neither a server nor a cluster.
"""
