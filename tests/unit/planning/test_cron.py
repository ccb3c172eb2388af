"""Cron schedules: which times they mean, and what is wrong with those that mean none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from missioncontrol.planning.cron import BadSchedule, Cron, parse


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        pytest.param("* * * * *", "2026-01-01T10:00:00", "2026-01-01T10:01:00", id="every minute"),
        pytest.param("* * * * *", "2026-01-01T10:00:59", "2026-01-01T10:01:00", id="the rest of a minute"),
        pytest.param("0/15 * * * *", "2026-01-01T14:45:00", "2026-01-01T15:00:00", id="every quarter"),
        pytest.param("20-35/15 * * * *", "2026-01-01T14:45:00", "2026-01-01T15:20:00", id="a stepped range"),
        pytest.param("0 0 * * *", "2026-12-31T00:00:00", "2027-01-01T00:00:00", id="over a year"),
        pytest.param("30 2 29 2 *", "2026-01-01T00:00:00", "2028-02-29T02:30:00", id="leap day"),
        pytest.param("0 0 * Feb Mon", "2026-01-01T00:00:00", "2026-02-02T00:00:00", id="names"),
        pytest.param("0 0 1,15 * Mon", "2026-06-02T00:00:00", "2026-06-08T00:00:00", id="either of two days"),
        pytest.param("0 0 */10 * Sun", "2026-06-01T00:00:00", "2026-06-07T00:00:00", id="a step is no star"),
        pytest.param(
            "0 0 ? * SUN", "2026-06-01T00:00:00", "2026-06-07T00:00:00", id="a question mark is one"
        ),
        pytest.param("@hourly", "2026-01-01T10:10:00", "2026-01-01T11:00:00", id="hourly"),
        pytest.param("@weekly", "2026-06-01T10:10:00", "2026-06-07T00:00:00", id="weekly on Sunday"),
        pytest.param("@every 1h30m", "2026-01-01T10:10:10", "2026-01-01T11:40:10", id="a distance"),
        pytest.param("@every 10ms", "2026-01-01T10:10:10", "2026-01-01T10:10:11", id="at least a second"),
        pytest.param(
            "CRON_TZ=Europe/Berlin 0 9 * * *", "2026-07-01T00:00:00", "2026-07-01T07:00:00", id="zone"
        ),
        pytest.param("TZ=Asia/Tokyo 0 9 * * *", "2026-07-01T00:00:00", "2026-07-02T00:00:00", id="old zone"),
    ],
)
def test_the_next_time(schedule: str, after: str, expected: str) -> None:
    assert parse(schedule).next(utc(after)) == utc(expected)


def test_a_time_that_the_clock_jumps_over_is_left_out() -> None:
    nightly = parse("CRON_TZ=Europe/Berlin 30 2 * * *")
    assert nightly.next(utc("2026-03-28T12:00:00")) == utc("2026-03-30T00:30:00")


def test_a_time_that_the_clock_passes_twice_happens_twice() -> None:
    nightly = parse("CRON_TZ=Europe/Berlin 30 2 * * *")
    first = nightly.next(utc("2026-10-24T12:00:00"))
    assert first == utc("2026-10-25T00:30:00")
    assert nightly.next(first) == utc("2026-10-25T01:30:00")


def test_a_day_that_never_comes_never_comes() -> None:
    assert parse("0 0 30 2 *").next(utc("2026-01-01T00:00:00")) is None


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", "the schedule is empty"),
        ("* * * *", "expected 5 fields (minute, hour, day of month, month, day of week), found 4"),
        ("0 * * * * *", "found 6"),
        ("60 * * * *", "minute: '60' is outside 0-59"),
        ("* * 0 * *", "day of month: '0' is outside 1-31"),
        ("* * * * 7", "day of week: '7' is outside 0-6"),
        ("* * * foo *", "month: 'foo' is not a number or a name"),
        ("5-1 * * * *", "minute: '5-1' ends before it begins"),
        ("*/0 * * * *", "the step in '*/0' must be a number of at least 1"),
        ("1,,2 * * * *", "minute: '' is not a number"),
        ("-1 * * * *", "minute: '' is not a number"),
        ("@fortnightly", "'@fortnightly' is no descriptor"),
        ("@every", "'' is no duration"),
        ("@every soon", "'soon' is no duration, such as 1h30m"),
        ("TZ=Mars/Olympus * * * * *", "'Mars/Olympus' is no time zone"),
        ("TZ=../../etc/passwd * * * * *", "is no time zone"),
    ],
)
def test_what_is_no_schedule_says_why(schedule: str, words: str) -> None:
    with pytest.raises(BadSchedule) as raised:
        parse(schedule)
    assert words in str(raised.value)


def _part(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    spans = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.one_of(st.just("*"), number.map(str), spans, st.integers(1, 9).map(lambda step: f"*/{step}"))


CRONS = st.tuples(_part(0, 59), _part(0, 23), _part(1, 28), _part(1, 12), _part(0, 6)).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(schedule=CRONS, seconds=st.integers(0, 4 * 365 * 86400))
def test_the_next_time_is_later_matches_and_nothing_between_does(schedule: str, seconds: int) -> None:
    cron = parse(schedule)
    assert isinstance(cron, Cron)
    after = utc("2026-01-01T00:00:00") + timedelta(seconds=seconds)
    found = cron.next(after)
    assert found is not None
    assert found > after
    assert matches(cron, found)
    probe = after.replace(second=0) + timedelta(minutes=1)
    for _ in range(500):
        if probe >= found:
            break
        assert not matches(cron, probe)
        probe += timedelta(minutes=1)


def matches(cron: Cron, moment: datetime) -> bool:
    date = moment.day in cron.days.values
    name = (moment.weekday() + 1) % 7 in cron.weekdays.values
    day = (date and name) if cron.days.star or cron.weekdays.star else (date or name)
    inside = moment.minute in cron.minutes.values and moment.hour in cron.hours.values
    return inside and day and moment.month in cron.months.values and moment.second == 0
