"""`tapewatch retention` shows before it does, and does what it showed."""

import json
import os

LONG_AGO = 1_600_000_000  # 2020


def age(folder):
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO))


def old_log(home):
    folder = home / "logs" / "runs" / "20200102T030000Z_a1"
    folder.mkdir(parents=True)
    (folder / "pipeline_a1.log").write_text("{}\n")
    return folder


def test_a_fresh_folder_has_nothing_to_go(full_home, tapewatch):
    assert tapewatch("retention").out.splitlines()[0] == "nothing is old enough to go"


def test_it_is_shown_first_and_done_when_asked(full_home, tapewatch):
    folder = old_log(full_home)
    refused = full_home / "data" / "raw" / ("0" * 64)
    refused.mkdir()
    (refused / "tape.csv").write_text("x\n")
    age(refused)

    shown = tapewatch("retention")
    assert shown.code == 0
    assert "would go" in shown.out
    assert "tapewatch retention --apply" in shown.out
    assert "logs are kept for 30 days" in shown.out
    assert folder.exists()

    done = json.loads(tapewatch("retention", "--apply", "--json").out)
    assert [(c["kind"], c["name"]) for c in done["candidates"]] == [
        ("log", folder.name),
        ("rejected", "0" * 64),
    ]
    assert (done["is_applied"], folder.exists(), refused.exists()) == (True, False, False)
    record = (full_home / "data" / "retention" / "removed.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in record] == ["log", "rejected"]
