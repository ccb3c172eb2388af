"""Cron schedules as Kubernetes' controllers understand them: the format of robfig/cron, without seconds.

Five fields, or a descriptor (`@daily`, `@every 1h30m`), behind an optional `CRON_TZ=Europe/Berlin`. A time
that the clock jumps over is left out; one that it passes twice happens twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from missioncontrol.validation.values import duration

HORIZON_DAYS: Final = 366 * 5
"""A schedule that never comes within five years (30 February) never comes."""
MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
DAYS: Final = {name: number for number, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class BadSchedule(ValueError):
    """A schedule that cannot be understood, with the part that is wrong."""


@dataclass(frozen=True, slots=True)
class Field:
    """The values that one field allows."""

    values: frozenset[int]
    star: bool
    """Whether it was left open: then it does not count for the rule on days."""


@dataclass(frozen=True, slots=True)
class Cron:
    """Times by the calendar."""

    minutes: Field
    hours: Field
    days: Field
    months: Field
    weekdays: Field
    zone: tzinfo

    def next(self, after: datetime) -> datetime | None:
        """The first time after a moment; None if there is none in sight."""
        start = after.astimezone(self.zone).date()
        for offset in range(HORIZON_DAYS):
            day = start + timedelta(days=offset)
            if not self._on(day):
                continue
            found = min((moment for moment in self._times(day) if moment > after), default=None)
            if found is not None:
                return found
        return None

    def _on(self, day: date) -> bool:
        if day.month not in self.months.values:
            return False
        by_date = day.day in self.days.values
        by_name = day.isoweekday() % 7 in self.weekdays.values
        if self.days.star or self.weekdays.star:
            return by_date and by_name
        return by_date or by_name

    def _times(self, day: date) -> Iterator[datetime]:
        for hour in self.hours.values:
            for minute in self.minutes.values:
                for fold in (0, 1):
                    local = datetime(day.year, day.month, day.day, hour, minute, fold=fold, tzinfo=self.zone)
                    moment = local.astimezone(UTC)
                    back = moment.astimezone(self.zone)
                    # a wall time that does not exist comes back as another one
                    if (back.hour, back.minute, back.fold) == (hour, minute, fold):
                        yield moment


@dataclass(frozen=True, slots=True)
class Every:
    """Times at a fixed distance."""

    delay: timedelta

    def next(self, after: datetime) -> datetime | None:
        """The first time after a moment, at a full second."""
        return after.replace(microsecond=0) + self.delay


Schedule = Cron | Every


def parse(text: str) -> Schedule:
    """The schedule that a text describes; BadSchedule says what is wrong with it."""
    zone: tzinfo = UTC
    fields = text.split()
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        zone = _zone(fields.pop(0).partition("=")[2])
    if not fields:
        raise BadSchedule("the schedule is empty")
    if fields[0] == "@every":
        return Every(_duration(" ".join(fields[1:])))
    if fields[0].startswith("@"):
        if len(fields) > 1 or fields[0] not in DESCRIPTORS:
            known = ", ".join((*DESCRIPTORS, "@every <duration>"))
            raise BadSchedule(f"{' '.join(fields)!r} is no descriptor; known are {known}")
        fields = DESCRIPTORS[fields[0]].split()
    if len(fields) != 5:
        raise BadSchedule(
            f"expected 5 fields (minute, hour, day of month, month, day of week), found {len(fields)}"
        )
    minute, hour, day, month, weekday = fields
    return Cron(
        minutes=_field(minute, "minute", 0, 59),
        hours=_field(hour, "hour", 0, 23),
        days=_field(day, "day of month", 1, 31),
        months=_field(month, "month", 1, 12, MONTHS),
        weekdays=_field(weekday, "day of week", 0, 6, DAYS),
        zone=zone,
    )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BadSchedule(f"{name!r} is no time zone") from error


def _duration(text: str) -> timedelta:
    """A duration as Go writes it."""
    seconds = duration(text)
    if seconds is None:
        raise BadSchedule(f"{text!r} is no duration, such as 1h30m")
    try:
        return timedelta(seconds=max(int(seconds), 1))
    except OverflowError as error:
        raise BadSchedule(f"{text!r} is too long") from error


_NO_NAMES: Final[Mapping[str, int]] = {}


def _field(text: str, what: str, low: int, high: int, names: Mapping[str, int] = _NO_NAMES) -> Field:
    values: set[int] = set()
    star = False
    for part in text.split(","):
        found, is_star = _range(part, what, low, high, names)
        values |= found
        star = star or is_star
    return Field(frozenset(values), star)


def _range(part: str, what: str, low: int, high: int, names: Mapping[str, int]) -> tuple[set[int], bool]:
    """One member of a list: `*`, `5`, `1-5`, each with an optional `/step`."""
    whole, slash, step_text = part.partition("/")
    first, dash, last = whole.partition("-")
    if whole in ("*", "?"):
        begin, end, open_ended = low, high, True
    else:
        begin = _number(first, what, names)
        end = _number(last, what, names) if dash else begin
        open_ended = False
        if slash and not dash:
            end = high
    step = 1
    if slash:
        if not (step_text.isascii() and step_text.isdecimal()) or int(step_text) == 0:
            raise BadSchedule(f"{what}: the step in {part!r} must be a number of at least 1")
        step = int(step_text)
    if begin < low or end > high:
        raise BadSchedule(f"{what}: {part!r} is outside {low}-{high}")
    if begin > end:
        raise BadSchedule(f"{what}: {part!r} ends before it begins")
    return set(range(begin, end + 1, step)), open_ended and step == 1


def _number(text: str, what: str, names: Mapping[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    if not (text.isascii() and text.isdecimal()) or len(text) > 4:
        raise BadSchedule(f"{what}: {text!r} is not a number{' or a name' if names else ''}")
    return int(text)
