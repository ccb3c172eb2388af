"""What becomes of memory: large pieces that are freed go back to the system, and what stays is left alone.

glibc begins with mapping what is larger than 128 KiB by itself, but raises that limit to the size of whatever
is freed, up to 32 MiB. After the first large answers the next ones lie in the heap, between small things that
stay, and their room is never given back. A limit that was set stays where it is.

Python's collector looks at everything that there is each time that a quarter has been added: at the modules,
schemas and documents of a program, some 75,000 objects, of which none is ever garbage. That takes tens of
milliseconds, in which nothing else happens.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
MAPPED_FROM: Final = 256 * 1024
"""The buffers of connections are of this size, and most of each is never touched."""
KEPT_FREE: Final = 8 << 20
"""At the end of the heap, so that it does not grow and shrink all the time."""


def return_what_is_freed() -> None:
    """To be called before threads are started. Other C libraries than glibc do as they like."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_MMAP_THRESHOLD, MAPPED_FROM)
    mallopt(_TRIM_THRESHOLD, KEPT_FREE)
    # threads (there are few, and they wait for each other) need no heaps of their own
    mallopt(_ARENA_MAX, 1)


def keep_what_is_there() -> None:
    """What there is by now is looked at no more by the collector; what is freed otherwise still is."""
    gc.collect()
    gc.freeze()
