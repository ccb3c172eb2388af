"""What a program's memory does after it has been large."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

GROWN = """
import os, sys
from missioncontrol.serving.memory import return_what_is_freed

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "with":
    return_what_is_freed()
bytearray(30 << 20)
before = resident()
large, small = [], []
for number in range(60):
    large.append(bytes([number]) * (1 << 20))
    small.append(bytes([number]) * 2000)
large.clear()
print(resident() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="another C library than glibc")
def test_what_is_freed_goes_back_although_small_things_between_it_stay() -> None:
    kept = {
        how: int(subprocess.run([sys.executable, "-c", GROWN, how], capture_output=True, check=True).stdout)
        for how in ("with", "without")
    }
    assert kept["with"] < 4 << 20 < 40 << 20 < kept["without"]
