"""What all tests share: how Hypothesis explores."""

import os

from hypothesis import settings

# Timings vary with the machine's load; a submission must not fail on an example nobody has seen.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

pytest_plugins = ["tests.s3"]
