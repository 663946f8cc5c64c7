"""`tapewatch reproduce`: the raw bytes give the run again, or the first difference is named."""

import json

import pytest

from tests.deployments.test_verify import forge, kpi_of
from tests.warehouse.mixed_tape import mixed_tape


def test_a_run_comes_out_again_and_what_agrees_is_told(full_home, run_folder, tapewatch):
    done = tapewatch("reproduce")

    assert done.code == 0, done.err
    assert done.out.startswith(f"{run_folder.name}: reproduced\n")
    assert "16 of 16 the same to the last digit" in done.out
    assert "quality checks find the same rows, and the reconciliation" in done.out
    assert "ingestion" in done.err  # the phases, as `tapewatch run` tells them


@pytest.mark.parametrize("is_named", [False, True])
def test_the_json_tells_every_figure_twice_and_every_table(
    full_home, run_folder, tapewatch, is_named
):
    arguments = [run_folder.name] if is_named else []

    document = json.loads(tapewatch("reproduce", *arguments, "--json").out)

    assert document["is_reproduced"] is True
    assert document["reproduced_run_id"] == document["run_id"]
    assert all(kpi["sealed"] == kpi["reproduced"] for kpi in document["kpis"])
    assert {"book.parquet", "kpi_value.parquet"} <= set(document["tables"])
    assert document["differences"] == []


def test_the_first_difference_is_one_line_and_exit_65(full_home, run_folder, tapewatch):
    forge(run_folder, lambda manifest: kpi_of(manifest, "par_90").update({"value": "0.010000"}))

    done = tapewatch("reproduce", "--json")

    assert done.code == 65
    line = done.err.splitlines()[-1]
    assert line.startswith("TAPEWATCH-REPRODUCE_DIFFERS: ")
    assert "par_90 value: sealed 0.010000, reproduced 0.343643" in line
    assert json.loads(done.out)["differences"][0]["what"] == "par_90 value"
    assert "NOT REPRODUCED" in tapewatch("reproduce").out


def test_an_earlier_run_can_be_named(full_home, run_folder, tapewatch, tmp_path):
    other = mixed_tape(extra_payment=1).write(tmp_path / "other")
    assert tapewatch("run", "--input", other).code == 0

    assert tapewatch("reproduce", run_folder.name).code == 0
    assert tapewatch("reproduce").code == 0


def test_raw_bytes_that_are_gone_are_named(full_home, run_folder, tapewatch):
    (raw,) = (full_home / "data" / "raw").glob("*/loans.csv")
    raw.unlink()

    done = tapewatch("reproduce")

    assert done.code == 65
    assert done.err.startswith(f"TAPEWATCH-RAW_BYTES: {raw}, of which run {run_folder.name} was")
    assert len(done.err.splitlines()) == 1


def test_a_damaged_run_folder_is_told_before_anything_is_run(full_home, run_folder, tapewatch):
    (run_folder / "book.parquet").write_bytes(b"PAR1")

    done = tapewatch("reproduce")

    assert done.code == 65
    assert done.err.startswith("TAPEWATCH-HASH_MISMATCH: ")


def test_another_masking_key_is_a_setting_to_correct(full_home, tapewatch, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_PII_KEY", "another key for the tests, no secret")

    done = tapewatch("reproduce")

    assert done.code == 78
    assert "fix: set TAPEWATCH_PII_KEY to the key of that run" in done.err


def test_nothing_published_says_what_to_do(home, tapewatch):
    done = tapewatch("reproduce")

    assert done.code == 64
    assert done.err.startswith("TAPEWATCH-NOTHING_PUBLISHED: ")
