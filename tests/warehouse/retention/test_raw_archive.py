"""Raw bytes go to the archive by their hash, and everything that needs them finds them there."""

import os
import shutil
from datetime import timedelta

import pytest

from tests.warehouse.tape_runs import NOW, TODAY, Desk, run_phase, write_good
from warehouse.job import RunRequest
from warehouse.manifest import MANIFEST
from warehouse.reproduce import reproduce
from warehouse.retention.apply import Order, RawDamagedError, retain
from warehouse.retention.log import read_log
from warehouse.retention.plan import plan_retention
from warehouse.run import Start, run_daily
from warehouse.run_folder import verify_all

LATER = NOW + timedelta(days=100)


@pytest.fixture
def aged(desk):
    """The published folder, and its raw bytes as old as their run."""
    age(desk.layout.raw)
    return desk


def age(root, when=NOW):
    for path in [root, *root.rglob("*")]:
        os.utime(path, (when.timestamp(), when.timestamp()))


def apply(desk, now=LATER):
    return retain(desk.layout, desk.settings, (), Order("anna", now), lambda _: None)


def kinds(desk, now=LATER):
    plan = plan_retention(desk.layout, desk.settings, (), now)
    return [candidate.kind for candidate in plan.candidates if candidate.kind != "log"]


def test_a_run_whose_raw_bytes_are_in_the_archive_is_reproduced_bit_by_bit(aged):
    (outcome,) = [aged.run(write_good(aged.root / "again"), as_of=TODAY)]

    done = apply(aged)

    raw = [c for c in done.plan.candidates if c.kind == "raw"]
    assert len(raw) == 4  # the four tables of the tape
    assert list(aged.layout.raw.iterdir()) == []
    told = [one for one in read_log(aged.layout.data) if one.kind == "raw"]
    assert {(one.action, one.sha256 == one.name) for one in told} == {("archived", True)}
    again = reproduce(outcome.sealed, aged.settings, run_phase)
    assert again.differences == ()


def test_raw_bytes_of_a_run_that_is_young_are_kept_at_hand(aged):
    assert kinds(aged, NOW + timedelta(days=90)) == []
    assert kinds(aged, NOW + timedelta(days=91)) == ["raw"] * 4


def test_a_damaged_file_is_named_and_left_and_the_others_go(aged):
    victim = sorted(aged.layout.raw.iterdir())[0]
    (file,) = victim.iterdir()
    file.write_bytes(b"rotten")

    with pytest.raises(RawDamagedError, match=r"1 not archived"):
        apply(aged)

    assert [folder.name for folder in aged.layout.raw.iterdir()] == [victim.name]
    assert not list((aged.layout.archive / victim.name).iterdir())
    assert len([one for one in read_log(aged.layout.data) if one.kind == "raw"]) == 3


def test_bytes_that_are_in_the_archive_already_are_checked_and_not_doubled(aged):
    shutil.copytree(aged.layout.raw, aged.layout.archive)
    rotten = next(iter(sorted(aged.layout.archive.iterdir())[0].iterdir()))
    rotten.write_bytes(b"rotten")  # the copy in the archive: the good one replaces it

    apply(aged)

    assert list(aged.layout.raw.iterdir()) == []
    assert rotten.read_bytes() != b"rotten"


def test_bytes_that_no_run_was_made_of_go_after_their_own_days(aged):
    refused = aged.layout.raw / ("0" * 64)
    refused.mkdir()
    (refused / "loans.csv").write_bytes(b"no tape")
    age(refused)

    assert kinds(aged, NOW + timedelta(days=30)) == []
    assert kinds(aged, NOW + timedelta(days=31)) == ["rejected"]
    apply(aged, NOW + timedelta(days=31))
    assert not refused.exists()
    assert len(list(aged.layout.raw.iterdir())) == 4


def test_of_what_senders_dropped_the_newest_and_all_that_no_run_took_stays(aged, tmp_path):
    drop = aged.settings.drop_folder
    taken = write_good(drop / "taken")
    mixed = write_good(drop / "mixed")
    (mixed / "notes.txt").write_text("for the analyst")
    (drop / "other.csv").write_text("never a tape\n")
    age(drop)
    newest = write_good(drop / "zz-newest")
    age(newest, NOW + timedelta(days=1))

    done = apply(aged, LATER)

    gone = [c.name for c in done.plan.candidates if c.kind == "export"]
    assert gone == [taken.name]
    assert {path.name for path in drop.iterdir()} - {".trash"} == {
        "mixed",
        "other.csv",
        newest.name,
    }
    assert not list((drop / ".trash").iterdir())


def test_a_drop_folder_inside_raw_is_no_raw_folder(aged):
    assert aged.settings.drop_folder.parent == aged.layout.raw
    write_good(aged.settings.drop_folder / "export")
    age(aged.settings.drop_folder)

    assert kinds(aged) == ["raw"] * 4


def test_another_desk_finds_nothing_to_do(tmp_path):
    desk = Desk(tmp_path / "empty")

    assert apply(desk).plan.candidates == ()


def refused_bytes(desk):
    folder = desk.layout.raw / ("0" * 64)
    folder.mkdir()
    (folder / "loans.csv").write_bytes(b"no tape")
    age(folder)
    return folder


@pytest.mark.parametrize("harm", ["damaged", "newer", "moved away"])
def test_bytes_of_no_known_run_stay_while_a_run_cannot_be_asked(aged, harm, tmp_path):
    outcome = aged.run(write_good(aged.root / "again"), as_of=TODAY)
    refused = refused_bytes(aged)
    kept = sorted(folder.name for folder in aged.layout.raw.iterdir())
    folder = outcome.sealed.folder
    manifest = folder / MANIFEST
    if harm == "moved away":
        folder.rename(tmp_path / "aside")  # as `tapewatch verify` asks of a damaged one
    elif harm == "newer":
        manifest.write_text(
            manifest.read_text().replace('"layout_version": 1', '"layout_version": 99')
        )
    else:
        manifest.write_bytes(manifest.read_bytes()[:-40])

    plan = plan_retention(aged.layout, aged.settings, (), LATER)
    apply(aged)

    spared = {one.why for one in plan.spared if one.kind == "rejected"}
    assert spared == {f"{outcome.sealed.name} cannot be read, and may be made of it"}
    gone = {c.name for c in plan.candidates if c.kind == "rejected"}
    assert gone == set()
    left = {f.name for root in (aged.layout.raw, aged.layout.archive) for f in root.glob("?" * 64)}
    assert sorted(left) == kept
    assert refused.exists()


def test_an_export_stays_when_what_was_kept_of_it_has_rotted(aged):
    drop = aged.settings.drop_folder
    taken = write_good(drop / "taken")
    age(drop)
    age(write_good(drop / "zz-newest"), NOW + timedelta(days=1))
    next(iter(sorted(aged.layout.raw.glob("?" * 64))[0].iterdir())).write_bytes(b"rotten")

    with pytest.raises(RawDamagedError):
        apply(aged)

    assert taken.is_dir()  # the last good copy


def test_a_link_in_the_drop_folder_is_left_alone_with_all_it_leads_to(aged, tmp_path):
    drop = aged.settings.drop_folder
    shared = write_good(tmp_path / "shared")
    age(shared)
    age(write_good(drop / "zz-newest"), NOW + timedelta(days=1))
    (drop / "link").symlink_to(shared)

    apply(aged)
    apply(aged, LATER + timedelta(days=7))

    assert (drop / "link").is_symlink()
    assert len(list(shared.iterdir())) == 4


def test_a_trash_of_somebody_else_in_the_drop_folder_is_not_emptied(aged, tmp_path):
    trash = aged.settings.drop_folder / ".trash"
    for name in ("mine", "0" * 32):
        (trash / name).mkdir(parents=True)
        (trash / name / "letters.txt").write_text("not yours")
    (trash / ("1" * 32)).symlink_to(tmp_path)

    done = apply(aged)

    assert done.finished == 0
    assert len(list(trash.rglob("letters.txt"))) == 2
    assert (trash / ("1" * 32)).is_symlink()


def test_the_drop_folder_of_every_portfolio_that_has_runs_is_looked_at(aged):
    second = aged.settings.portfolio.model_copy(update={"name": "second"})
    other = aged.settings.model_copy(update={"portfolio": second})
    taken = write_good(other.drop_folder / "taken")
    asked = RunRequest((taken,), TODAY)
    run_daily(asked, other, Start("second", NOW, "test"), run_phase)
    age(other.drop_folder)
    newest = write_good(other.drop_folder / "zz-newest")

    apply(aged)  # with the settings of the first

    assert [path.name for path in other.drop_folder.iterdir() if path.name != ".trash"] == [
        newest.name
    ]
    assert list((other.drop_folder / ".trash").iterdir()) == []
    assert verify_all(aged.layout) == []
