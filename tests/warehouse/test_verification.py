"""What a verification found stays where it was written, whole or in parts."""

import json
from datetime import UTC, datetime

import pytest

from warehouse.verification import (
    DamagedVerificationError,
    Verification,
    keep_part,
    keep_whole,
    read_verification,
)

MORNING = datetime(2025, 12, 27, 9, tzinfo=UTC)
LATER = datetime(2025, 12, 28, 9, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "production" / "runs.json"


def test_a_verdict_says_when_how_many_and_where(path):
    keep_whole(path, {"run-b": 1, "run-a": 2, "run-c": 0}, MORNING)

    assert json.loads(path.read_text()) == {
        "is_sound": False,
        "verified_at": "2025-12-27T09:00:00.000Z",
        "problems": {"run-a": 2, "run-b": 1},
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_verification(path).count == 3


def test_a_verification_of_everything_replaces_what_was_found_before(path):
    keep_whole(path, {"run-a": 2}, MORNING)
    keep_whole(path, {"run-b": 0}, LATER)

    assert read_verification(path) == Verification(LATER, {})


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        ({"run-a": 0}, {"run-b": 1}),  # mended
        ({"run-a": 5}, {"run-a": 5, "run-b": 1}),
        ({"run-c": 0}, {"run-a": 2, "run-b": 1}),
        ({"run-c": 4}, {"run-a": 2, "run-b": 1, "run-c": 4}),
    ],
)
def test_a_run_looked_at_alone_changes_its_own_entry_and_nothing_else(path, found, problems):
    keep_whole(path, {"run-a": 2, "run-b": 1}, MORNING)

    keep_part(path, found, MORNING)

    assert read_verification(path) == Verification(MORNING, problems)


def test_one_run_looked_at_alone_is_no_verification_of_everything(path):
    keep_part(path, {"run-a": 1}, MORNING)

    assert read_verification(path) == Verification(None, {"run-a": 1})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"verified_at": "2025-12-27T09:00:00"}', '{"problems": {"run-a": 0}}'],
)
def test_a_damaged_verdict_is_refused_and_only_a_whole_one_takes_its_place(path, text):
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises(DamagedVerificationError, match="is no verdict") as refused:
        read_verification(path)
    assert "tapewatch verify --all" in refused.value.fix
    with pytest.raises(DamagedVerificationError):
        keep_part(path, {"run-a": 0}, MORNING)
    keep_whole(path, {}, MORNING)
    assert read_verification(path) == Verification(MORNING, {})
