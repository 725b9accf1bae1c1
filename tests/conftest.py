"""What all tests share."""

import os

from hypothesis import settings

# The same examples in every run: a test that fails, fails for everybody. HYPOTHESIS_PROFILE=default looks for others.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
