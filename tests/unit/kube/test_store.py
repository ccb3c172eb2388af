"""The store against the truth: whatever order writes' answers and watch events come in, it ends at the truth,
and never shows a state older than a write of this process.
"""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from missioncontrol.kube.store import Store
from missioncontrol.kube.views import ConfigMap, Meta


def obj(version: int, *, uid: str = "u1", name: str = "a") -> ConfigMap:
    meta = Meta(name=name, namespace="n", uid=uid, resource_version=str(version))
    return ConfigMap(metadata=meta, data={"v": str(version)})


def shown(store: Store[ConfigMap]) -> str | None:
    found = store.get("n", "a")
    return found.metadata.resource_version if found else None


# One life of an object: who wrote each version. The server gives versions in order; deletion ends a life.
WRITERS = st.lists(st.sampled_from(["ours", "theirs", "deleted"]), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(writers=WRITERS, data=st.data())
def test_it_ends_at_the_truth_and_never_goes_behind_our_own_writes(
    writers: list[str], data: st.DataObject
) -> None:
    store: Store[ConfigMap] = Store()
    events: list[tuple[str, ConfigMap]] = []
    answers: list[ConfigMap] = []
    life, alive = 1, False
    for version, writer in enumerate(writers, start=1):
        if writer == "deleted":
            if alive:
                events.append(("DELETED", obj(version, uid=f"u{life}")))
                life, alive = life + 1, False
            continue
        alive = True
        written = obj(version, uid=f"u{life}")
        events.append(("PUT", written))
        if writer == "ours":
            answers.append(written)
    newest_own = 0
    while events or answers:
        # Our own calls are one after the other, so answers come in order; the watch is in order as well.
        take_answer = answers and (not events or data.draw(st.booleans()))
        if take_answer:
            answer = answers.pop(0)
            store.observe(answer)
            newest_own = max(newest_own, int(answer.metadata.resource_version))
        else:
            kind, seen = events.pop(0)
            if kind == "DELETED":
                store.remove(seen.metadata)
            else:
                store.put(seen)
        version_shown = shown(store)
        if version_shown is not None:
            assert int(version_shown) >= newest_own
    last_is_alive = alive
    if last_is_alive:
        assert shown(store) is not None
        assert int(shown(store) or 0) >= newest_own
    else:
        assert shown(store) is None


def test_changes_are_told_with_old_and_new_and_a_new_uid_is_a_new_object() -> None:
    store: Store[ConfigMap] = Store()
    told: list[tuple[str, str | None, str | None]] = []
    store.add_handler(
        lambda change, old, new: told.append(
            (change, old and old.metadata.resource_version, new and new.metadata.resource_version)
        )
    )
    store.put(obj(1))
    store.put(obj(2))
    store.put(obj(2))
    store.put(obj(3, uid="u2"))
    store.remove(obj(4, uid="u2").metadata)
    assert told == [
        ("added", None, "1"),
        ("updated", "1", "2"),
        ("deleted", "2", None),
        ("added", None, "3"),
        ("deleted", "3", None),
    ]


def test_a_list_tells_what_vanished_and_what_changed_meanwhile() -> None:
    store: Store[ConfigMap] = Store()
    for name in "abc":
        store.put(obj(1, name=name, uid=name))
    told: list[tuple[str, str]] = []
    store.add_handler(lambda change, old, new: told.append((change, (new or old).metadata.name)))  # type: ignore[union-attr]
    told.clear()
    objects = {("n", "a"): obj(1, name="a", uid="a"), ("n", "b"): obj(5, name="b", uid="b")}
    objects["n", "d"] = obj(6, name="d", uid="d")
    store.replace_all(objects, began=time.monotonic())
    assert sorted(told) == [("added", "d"), ("deleted", "c"), ("updated", "b")]


def test_a_list_begun_before_our_write_does_not_undo_it() -> None:
    store: Store[ConfigMap] = Store()
    store.put(obj(1))
    began = time.monotonic()
    store.observe(obj(7))
    store.observe(obj(8, name="new", uid="n"))
    store.replace_all({("n", "a"): obj(1)}, began=began)
    assert shown(store) == "7"
    assert store.get("n", "new") is not None
    store.put(obj(7))
    store.put(obj(9))
    assert shown(store) == "9"


def test_indexes_follow_the_objects() -> None:
    store: Store[ConfigMap] = Store()
    store.put(obj(1))
    store.add_index("v", lambda found: found.data.values())
    store.put(obj(2))
    store.put(obj(3, name="b", uid="b"))
    assert [found.metadata.name for found in store.by("v", "2")] == ["a"]
    assert store.by("v", "1") == []
    store.remove(obj(4).metadata)
    assert store.by("v", "2") == []
    assert len(store.by("v", "3")) == 1


def test_a_reader_that_fails_does_not_keep_the_others_from_hearing() -> None:
    store: Store[ConfigMap] = Store()
    told = []
    store.add_handler(lambda *_: 1 / 0)  # type: ignore[arg-type, return-value]
    store.add_handler(lambda change, old, new: told.append(change))
    store.put(obj(1))
    assert told == ["added"]


def test_an_event_that_the_watch_lost_is_noticed() -> None:
    store: Store[ConfigMap] = Store()
    store.observe(obj(7))
    assert not store.overdue()
    assert store.overdue(time.monotonic() + 100)


def test_an_answer_that_comes_after_a_newer_list_is_not_waited_for_as_long() -> None:
    store: Store[ConfigMap] = Store()
    for version in (1, 3):
        store.replace_all({("n", "a"): obj(version)}, began=time.monotonic())
    # the write was done before the list and answered after it: its event will never come
    store.observe(obj(2))
    assert not store.overdue()
    assert store.overdue(time.monotonic() + 1.5)
    calm: Store[ConfigMap] = Store()
    calm.replace_all({("n", "a"): obj(1)}, began=time.monotonic())
    calm.observe(obj(2))
    assert not calm.overdue(time.monotonic() + 10)
