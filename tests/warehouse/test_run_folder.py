"""A run is sealed whole, served in order, found again by its question, and proved by its hashes."""

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from settings.errors import InternalError
from warehouse.durable import copy_with_sha256, make_folder
from warehouse.identity import RunIdentity
from warehouse.layout import Layout
from warehouse.manifest import HashMismatchError, InputFacts, LayoutTooNewError, Manifest
from warehouse.run_folder import (
    RunConflictError,
    SealedRun,
    find_run,
    keep_raw,
    list_runs,
    previous_run,
    publish,
    read_current,
    seal,
    superseded_runs,
    verify_all,
)
from warehouse.verify import check_folder, verify_folder

NOW = datetime(2025, 12, 27, 9, 0, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path / "data", tmp_path / "logs")
    made.make()
    return made


def question(day: int, tape: str = "a", portfolio: str = "cascade") -> RunIdentity:
    return RunIdentity(
        "production", portfolio, date(2025, 12, day), (tape * 64,), "1", "sql", {}, "key"
    )


def sealed(layout: Layout, asked: RunIdentity, now: datetime = NOW) -> SealedRun:
    """Seal a run of two files the way the output phase does."""
    staged = make_folder(layout.staging / "attempt" / "run")
    (staged / "loan.parquet").write_bytes(asked.run_id.encode())
    (staged / "kpi.parquet").write_bytes(b"kpis")
    before = previous_run(layout, asked)
    manifest = Manifest(
        identity=asked,
        inputs=(InputFacts("tape.zip", asked.input_sha256s[0], 10),),
        ingestion={},
        kpis={"par_90": {"value": 0.1}},
        quality={},
        previous_run=before.name if before else None,
        prev_manifest_sha256=before.manifest_sha256() if before else None,
        supersedes=tuple(run.manifest.run_id for run in superseded_runs(layout, asked)),
        code="0.1.0",
        created_at=now,
    )
    return seal(layout, staged, manifest, {"loan.parquet": 7})


def test_a_sealed_run_holds_the_hash_size_and_rows_of_each_file(layout):
    run = sealed(layout, question(26))

    assert run.folder == layout.runs / question(26).folder_name
    assert run.manifest.files["loan.parquet"].rows == 7
    assert run.manifest.files["kpi.parquet"].bytes == 4  # b"kpis"
    assert run.manifest.files["kpi.parquet"].rows is None
    assert check_folder(run.folder) == run.manifest
    assert not (layout.staging / "attempt" / "run").exists()


def test_a_sealed_run_is_private_whatever_the_umask(layout):
    old = os.umask(0)
    try:
        run = sealed(layout, question(26))
    finally:
        os.umask(old)

    assert run.folder.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in run.folder.iterdir()} == {0o600}


def test_a_run_is_never_sealed_over_another(layout):
    run = sealed(layout, question(26))

    with pytest.raises(RunConflictError, match="exists already"):
        sealed(layout, question(26))

    assert verify_folder(run.folder) == []


def test_a_seal_that_could_not_rename_is_tried_again(layout):
    manifest = sealed(layout, question(25)).manifest
    staged = make_folder(layout.staging / "again")
    (staged / "manifest.json").write_bytes(b"of the earlier try")

    run = seal(layout, staged, replace(manifest, identity=question(26)), {})

    assert verify_folder(run.folder) == []
    assert run.manifest.files == {}


def test_a_folder_inside_staging_or_a_table_that_is_not_there_cannot_be_sealed(layout):
    manifest = sealed(layout, question(25)).manifest
    staged = make_folder(layout.staging / "bad")
    tomorrow = replace(manifest, identity=question(26))

    with pytest.raises(InternalError, match=r"missing \['loan.parquet'\]"):
        seal(layout, staged, tomorrow, {"loan.parquet": 1})
    make_folder(staged / "spill")
    with pytest.raises(InternalError, match=r"not files \['spill'\]"):
        seal(layout, staged, tomorrow, {})

    assert [run.name for run in list_runs(layout)] == [question(25).folder_name]


def test_the_same_question_finds_its_run_and_another_does_not(layout):
    run = sealed(layout, question(26))

    assert find_run(layout, question(26)) == run
    assert find_run(layout, question(26, tape="b")) is None


def test_a_found_run_with_a_flipped_byte_is_refused(layout):
    run = sealed(layout, question(26))
    flip(run.folder / "kpi.parquet")

    with pytest.raises(HashMismatchError, match=r"kpi\.parquet") as caught:
        find_run(layout, question(26))

    assert (caught.value.code, caught.value.exit_code) == ("HASH_MISMATCH", 65)


def test_another_run_with_the_same_first_eight_characters_is_a_conflict(layout):
    run = sealed(layout, question(26))
    run.folder.rename(layout.runs / question(26, tape="b").folder_name)

    with pytest.raises(HashMismatchError, match="belongs to"):
        find_run(layout, question(26, tape="b"))


def flip(path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_nothing_is_served_before_the_first_run(layout):
    assert read_current(layout) is None
    assert list_runs(layout) == []
    assert verify_all(layout) == []


def test_current_moves_to_a_later_day_and_never_back_for_a_backfill(layout):
    day_26, day_25, day_27 = (sealed(layout, question(day)) for day in (26, 25, 27))

    moved = [publish(layout, run) for run in (day_26, day_25, day_27, day_27)]

    assert moved == [True, False, True, False]
    assert read_current(layout) == day_27


def test_a_rollback_moves_current_back_when_told(layout):
    day_25, day_26 = sealed(layout, question(25)), sealed(layout, question(26))
    publish(layout, day_26)

    assert publish(layout, day_25, backward=True)
    assert read_current(layout) == day_25


def test_a_restated_day_supersedes_the_first_tape_even_when_the_clock_went_back(layout):
    first = sealed(layout, question(26))
    publish(layout, first)

    second = sealed(layout, question(26, tape="b"), now=NOW - timedelta(days=3))

    assert second.manifest.supersedes == (first.manifest.run_id,)
    assert publish(layout, second)
    assert not publish(layout, first)  # the old tape sent again changes nothing
    assert read_current(layout) == second
    assert [run.name for run in list_runs(layout)] == [first.name, second.name]


def test_runs_are_listed_by_date_not_by_when_they_were_made(layout):
    sealed(layout, question(27), now=NOW)
    sealed(layout, question(25), now=NOW + timedelta(days=9))

    assert [run.manifest.identity.as_of.day for run in list_runs(layout)] == [25, 27]


def test_the_previous_run_is_the_last_restatement_of_the_nearest_earlier_day(layout):
    for asked in (question(24), question(25), question(25, tape="b"), question(27)):
        sealed(layout, asked)

    before = previous_run(layout, question(26))

    assert before is not None
    assert before.manifest.run_id == question(25, tape="b").run_id
    assert previous_run(layout, question(24)) is None


def test_runs_are_compared_within_one_portfolio_only(layout):
    sealed(layout, question(25, portfolio="other"))
    mine = sealed(layout, question(24))

    assert previous_run(layout, question(26)) == mine
    assert superseded_runs(layout, question(25)) == ()


def test_one_rotten_old_run_does_not_stop_todays(layout):
    rotten, sound = sealed(layout, question(24)), sealed(layout, question(25))
    flip(rotten.folder / "manifest.json")

    assert list_runs(layout) == [sound]
    assert previous_run(layout, question(26)) == sound
    assert rotten.name in {p.folder for p in verify_all(layout)}


def test_a_rotten_served_run_is_replaced_by_the_next_day_and_not_by_an_earlier_one(layout):
    rotten = sealed(layout, question(26))
    publish(layout, rotten)
    flip(rotten.folder / "manifest.json")

    with pytest.raises(HashMismatchError):
        read_current(layout)
    assert not publish(layout, sealed(layout, question(25)))
    assert publish(layout, sealed(layout, question(27)))


def test_current_naming_a_lost_folder_is_a_problem_with_a_name(layout):
    layout.current.write_bytes(b"2025-12-26-00000000\n")

    assert [p.file for p in verify_all(layout)] == ["current"]


@pytest.mark.parametrize(
    ("harm", "file", "what"),
    [
        (lambda f: (f / "loan.parquet").unlink(), "loan.parquet", "not in the folder"),
        (lambda f: (f / "new.csv").write_bytes(b""), "new.csv", "not in the manifest"),
        (lambda f: (f / "loan.parquet").write_bytes(b"x"), "loan.parquet", "has 1 bytes"),
        (lambda f: flip(f / "loan.parquet"), "loan.parquet", "other bytes"),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json", "missing"),
        (lambda f: (f / "manifest.json").write_bytes(b"[]"), "manifest.json", "no JSON object"),
        (lambda f: (f / "manifest.json").write_bytes(b"\x00"), "manifest.json", "no JSON"),
    ],
)
def test_verify_names_the_file_and_what_is_wrong_with_it(layout, harm, file, what):
    run = sealed(layout, question(26))

    harm(run.folder)

    [problem] = verify_folder(run.folder)
    assert (problem.folder, problem.file) == (run.name, file)
    assert what in problem.what


def test_a_flipped_byte_anywhere_in_the_manifest_is_seen(layout):
    path = sealed(layout, question(26)).folder / "manifest.json"
    whole = path.read_bytes()

    for place in range(0, len(whole), 7):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        # white space between the values carries nothing: any change there must still read the same
        assert verify_folder(path.parent) or json.loads(data) == json.loads(whole)


def test_a_kpi_changed_in_an_old_manifest_breaks_the_link_of_the_next_run(layout):
    old, new = sealed(layout, question(25)), sealed(layout, question(26))
    forged = replace(old.manifest, kpis={"par_90": {"value": 0.01}})
    (old.folder / "manifest.json").write_bytes(forged.to_json())

    assert verify_folder(old.folder) == []  # it fits itself
    [problem] = verify_folder(new.folder)
    assert f"{old.name} was rewritten" in problem.what


def test_a_run_of_a_newer_layout_is_refused_and_kept(layout):
    run = sealed(layout, question(26))
    path = run.folder / "manifest.json"
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "layout_version": 2}).encode())

    with pytest.raises(LayoutTooNewError, match="layout 2") as caught:
        find_run(layout, question(26))

    assert (caught.value.code, caught.value.exit_code) == ("LAYOUT_TOO_NEW", 78)
    assert run.folder.is_dir()


def staged_copy(layout: Layout, name: str):
    source = layout.data / "source.csv"
    source.write_bytes(b"loan_id\nL1\n")
    return copy_with_sha256(source, layout.staging / name)


def test_raw_bytes_are_kept_under_their_hash_and_name(layout):
    copied = staged_copy(layout, "part")

    kept = keep_raw(layout, copied.path, copied.sha256, "loans.csv")

    assert kept == layout.raw / copied.sha256 / "loans.csv"
    assert kept.read_bytes() == b"loan_id\nL1\n"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_raw_bytes_already_there_stay_and_rotten_ones_are_replaced(layout):
    copied = staged_copy(layout, "one")
    kept = keep_raw(layout, copied.path, copied.sha256, "loans.csv")
    inode = kept.stat().st_ino

    assert keep_raw(layout, staged_copy(layout, "two").path, copied.sha256, "loans.csv") == kept
    assert kept.stat().st_ino == inode
    flip(kept)
    keep_raw(layout, staged_copy(layout, "three").path, copied.sha256, "loans.csv")
    assert kept.read_bytes() == b"loan_id\nL1\n"


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "", ".", ".."])
def test_a_raw_name_that_leaves_its_folder_is_refused(layout, name):
    copied = staged_copy(layout, "part")

    with pytest.raises(InternalError, match="plain file name"):
        keep_raw(layout, copied.path, copied.sha256, name)
