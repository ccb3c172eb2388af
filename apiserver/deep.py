"""JSON of objects that are nested deeper than orjson goes: it writes 254 levels and reads 1,024.

Nobody can write such an object through this server. kube-apiserver takes 10,000 levels, so who writes into
the storage group by hand can store it: it is to be shown then, and to end nothing. Python's own codec is
slow, and goes as deep as the recursion limit.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def loads(data: bytes | memoryview) -> Any:
    """Decode; orjson.JSONDecodeError for what is no JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if "depth limit exceeded" not in str(error):
            raise
        try:
            return json.loads(bytes(data))
        except ValueError:
            raise error from None


def dumps(value: Any, option: int | None = None) -> bytes:
    """Encode with orjson's options; what is too deep for it is not indented, in megabytes of spaces."""
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError as error:
        if "Recursion limit" not in str(error):
            raise
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + (b"\n" if (option or 0) & orjson.OPT_APPEND_NEWLINE else b"")
