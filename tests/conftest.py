"""What all tests share."""

import os

from hypothesis import settings

# A law is not a matter of time: a slow machine must not make it fail.
settings.register_profile("untimed", deadline=None)
# Ten times as many examples: HYPOTHESIS_PROFILE=thorough make test
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "untimed"))
