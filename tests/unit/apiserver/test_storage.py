"""What is asked of the store."""

from __future__ import annotations

import pytest

from apiserver.storage import read_once

MANAGER = ("fieldManager", "me")
IGNORE = ("fieldValidation", "Ignore")


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        pytest.param([], [IGNORE], id="nothing was said, which is to be warned"),
        pytest.param([MANAGER, ("fieldValidation", "")], [MANAGER, IGNORE], id="an empty text was said"),
        pytest.param([("fieldValidation", "Warn"), MANAGER], [MANAGER, IGNORE], id="to be warned"),
        pytest.param([("fieldValidation", "Strict"), MANAGER], [MANAGER, IGNORE], id="to be refused"),
        pytest.param(
            [("fieldValidation", "Strict"), ("fieldValidation", "Warn")], [IGNORE], id="two things were said"
        ),
        pytest.param(
            [("fieldValidation", "odd"), MANAGER],
            [("fieldValidation", "odd"), MANAGER],
            id="what the store has to refuse",
        ),
    ],
)  # fmt: skip
def test_an_apply_without_repeated_keys_is_read_once(
    given: list[tuple[str, str]], asked: list[tuple[str, str]]
) -> None:
    assert read_once(given) == asked
