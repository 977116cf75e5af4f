"""What all tests share."""

from hypothesis import settings

# A law is not a matter of time: a slow machine must not make it fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
