"""In CI every run tries the same examples, so that a change is judged by what it changed.

Elsewhere hypothesis goes on looking for new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
