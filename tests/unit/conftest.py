"""In CI every run tries the same examples, so that a change is judged by what it changed.

Elsewhere hypothesis goes on looking for new ones. How long an example takes says how busy the machine is,
and is no reason to fail.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
