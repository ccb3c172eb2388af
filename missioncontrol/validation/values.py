"""Reading of untyped values: rules see objects before and without a schema check and must never stumble.

A value of a wrong type is the schema's business; here it reads as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

VERSION: Final = re.compile(r"\d+\.\d+\.\d+(?:[-.+][0-9A-Za-z][0-9A-Za-z.+-]*)?")
DNS_1035_LABEL: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
DNS_1123_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
DNS_1123_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_QUANTITY: Final = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?"
)
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)")
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def at(value: Any, *keys: str) -> Any:
    """The value under nested keys, None where the way ends."""
    for key in keys:
        value = mapping(value).get(key)
    return value


def duration(value: str) -> float | None:
    """Seconds of a duration as Go writes it, such as 1h30m; None when it is none."""
    seconds, end = 0.0, 0
    for found in _DURATION.finditer(value):
        if found.start() != end:
            break
        seconds += float(found[1]) * _UNITS[found[2]]
        end = found.end()
    return seconds if value and end == len(value) else None


def is_empty(value: Any) -> bool:
    """Nothing was said: null, "", [], {} and mappings of such; manifests of the product are full of them."""
    if isinstance(value, dict):
        return all(is_empty(each) for each in value.values())
    return value is None or value == "" or value == []


def quantity(value: Any) -> Decimal | None:
    """A Kubernetes resource quantity as a number, None when it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    number, suffix = match.group(1), match.group(2) or ""
    try:
        if suffix in _SUFFIXES:
            return Decimal(number) * _SUFFIXES[suffix]
        return Decimal(number + suffix)
    except InvalidOperation:
        return None


def is_label_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not DNS_1123_SUBDOMAIN.fullmatch(prefix)):
        return False
    return bool(_QUALIFIED_NAME.fullmatch(name))


def is_label_value(value: str) -> bool:
    return bool(_LABEL_VALUE.fullmatch(value))


def is_dns_1035_label(value: str) -> bool:
    return len(value) <= 63 and bool(DNS_1035_LABEL.fullmatch(value))


def is_dns_1123_label(value: str) -> bool:
    return len(value) <= 63 and bool(DNS_1123_LABEL.fullmatch(value))


def is_dns_1123_subdomain(value: str) -> bool:
    return len(value) <= 253 and bool(DNS_1123_SUBDOMAIN.fullmatch(value))
