"""When a ScheduledTask makes a task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controllers.cassandra.tasks.schedule import decide
from missioncontrol.planning.cron import parse

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
HOURLY = parse("0 * * * *")


def test_a_new_schedule_waits_for_its_first_time() -> None:
    moment = decide(
        HOURLY, created=NOON + timedelta(minutes=5), last=None, busy="", now=NOON + timedelta(minutes=6)
    )
    assert (moment.due, moment.following) == (None, NOON + timedelta(hours=1))
    assert moment.last == NOON + timedelta(minutes=5)


def test_a_task_is_made_for_the_time_that_has_come() -> None:
    now = NOON + timedelta(seconds=1)
    moment = decide(
        HOURLY, created=NOON - timedelta(days=1), last=NOON - timedelta(minutes=50), busy="", now=now
    )
    assert (moment.due, moment.last, moment.following) == (NOON, now, NOON + timedelta(hours=1))


def test_missed_times_are_made_up_for_once() -> None:
    last = NOON - timedelta(hours=7, minutes=30)
    moment = decide(HOURLY, created=last, last=last, busy="", now=NOON + timedelta(minutes=1))
    assert moment.due == NOON - timedelta(hours=7)
    again = decide(HOURLY, created=last, last=moment.last, busy="", now=NOON + timedelta(minutes=2))
    assert again.due is None


def test_a_task_that_still_works_is_waited_for() -> None:
    last = NOON - timedelta(minutes=50)
    moment = decide(HOURLY, created=last, last=last, busy="older", now=NOON)
    assert (moment.due, moment.waits_for, moment.last) == (None, "older", last)


@given(minutes=st.lists(st.integers(1, 600), min_size=1, max_size=30))
def test_no_time_is_ever_used_twice(minutes: list[int]) -> None:
    now, last, seen = NOON, None, []
    for step in minutes:
        now += timedelta(minutes=step)
        moment = decide(HOURLY, created=NOON, last=last, busy="", now=now)
        last = moment.last
        if moment.due is not None:
            seen.append(moment.due)
    assert len(seen) == len(set(seen))
