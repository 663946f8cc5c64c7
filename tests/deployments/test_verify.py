"""`tapewatch verify`: a sound run passes, and no change to it, clever or not, stays unseen."""

import hashlib
import json

import pytest

from warehouse.json_text import canonical_json, pretty_json


def forge(run_folder, change):
    """Change the manifest and give it the hash that fits, as one who knows the code would."""
    path = run_folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    del manifest["content_sha256"]
    manifest["content_sha256"] = hashlib.sha256(canonical_json(manifest)).hexdigest()
    path.write_bytes(pretty_json(manifest))


def kpi_of(manifest, name):
    return next(kpi for kpi in manifest["kpis"]["values"] if kpi["name"] == name)


def test_a_sound_run_is_sound(full_home, run_folder, tapewatch):
    done = tapewatch("verify")

    assert done.code == 0
    assert done.out.startswith(f"{run_folder.name}: sound\n")
    assert "16 of 16 come out the same, to the last digit" in done.out


@pytest.mark.parametrize("arguments", [[], ["--all"], ["2025-12-10"]])
def test_the_json_tells_every_figure_again(full_home, tapewatch, arguments):
    document = json.loads(tapewatch("verify", *arguments, "--json").out)

    assert document["is_sound"] is True
    (run,) = document["runs"]
    assert run["problems"] == []
    assert all(kpi["sealed"] == kpi["rebuilt"] for kpi in run["rebuilt"]["kpis"])
    assert run["rebuilt"]["reconciliation"]["is_equal"] is True


def test_a_run_can_be_named_by_its_id(full_home, run_folder, tapewatch):
    run_id = json.loads((run_folder / "manifest.json").read_text())["run_id"]

    assert tapewatch("verify", run_id).code == 0
    assert tapewatch("verify", run_id[:6]).code == 0


def test_one_flipped_bit_of_a_table_is_found(full_home, run_folder, tapewatch):
    path = run_folder / "book.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    done = tapewatch("verify")

    assert done.code == 65
    assert done.err.startswith("TAPEWATCH-HASH_MISMATCH: ")
    assert "book.parquet has other bytes than were sealed" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("field", ["value", "numerator", "denominator"])
def test_an_altered_kpi_is_found_although_every_hash_fits(full_home, run_folder, tapewatch, field):
    forge(run_folder, lambda manifest: kpi_of(manifest, "par_90").update({field: "0.010000"}))

    done = tapewatch("verify")

    assert done.code == 65
    assert done.err.startswith("TAPEWATCH-REBUILD_DIFFERS: ")
    assert "its tables give another par_90" in done.err


def test_an_altered_reconciliation_is_found(full_home, run_folder, tapewatch):
    forge(
        run_folder,
        lambda manifest: manifest["quality"]["reconciliation"].update({"compared": 1_000_000}),
    )

    done = tapewatch("verify", "--json")

    assert done.code == 65
    assert json.loads(done.out)["is_sound"] is False
    assert "another reconciliation" in done.err


def test_figures_of_another_sql_prove_nothing(full_home, run_folder, tapewatch, monkeypatch):
    audit = run_folder / "audit.json"
    audit.write_bytes(audit.read_bytes().replace(b'"0.343643"', b'"0.010000"'))
    facts = {"sha256": hashlib.sha256(audit.read_bytes()).hexdigest()}

    def change(manifest):
        kpi_of(manifest, "par_90")["value"] = "0.010000"
        manifest["files"]["audit.json"].update(facts)

    forge(run_folder, change)
    monkeypatch.setattr("warehouse.rebuild.sql_sha256", lambda _folder: "of a later version")

    done = tapewatch("verify")

    assert done.code == 0
    assert "par_90: sealed 0.010000, now 0.343643" in done.out
    assert "not the SQL that sealed this run" in done.out


def test_a_damaged_manifest_is_found_by_its_folder_name(full_home, run_folder, tapewatch):
    (run_folder / "manifest.json").write_text("{}")

    done = tapewatch("verify", run_folder.name)

    assert done.code == 65
    assert "manifest.json" in done.err
    assert f"{run_folder.name} cannot be read" in tapewatch("runs").out


def kept(home, kind="runs"):
    return json.loads((home / "data" / "verification" / "development" / f"{kind}.json").read_text())


def test_what_was_found_is_kept_until_it_is_found_mended(full_home, run_folder, tapewatch):
    path = run_folder / "book.parquet"
    sealed = path.read_bytes()
    path.write_bytes(sealed[:-1])
    assert tapewatch("verify").code == 65
    found = kept(full_home)
    assert tapewatch("verify", "--all").code == 65
    every = kept(full_home)
    path.write_bytes(sealed)
    assert tapewatch("verify").code == 0
    mended = kept(full_home)

    assert found == {"is_sound": False, "verified_at": None, "problems": {run_folder.name: 1}}
    assert every["problems"] == {run_folder.name: 1}
    assert mended == {"is_sound": True, "verified_at": every["verified_at"], "problems": {}}


def test_a_figure_that_comes_out_otherwise_is_kept_as_a_problem(full_home, run_folder, tapewatch):
    forge(run_folder, lambda manifest: kpi_of(manifest, "par_90").update(value="0.001"))

    assert tapewatch("verify").code == 65
    assert kept(full_home)["problems"].keys() == {run_folder.name}


def test_a_verdict_that_cannot_be_kept_is_told_and_stands(full_home, tapewatch):
    (full_home / "data" / "verification").write_text("a file where the folder belongs")

    done = tapewatch("verify")

    assert done.code == 0
    assert "the verdict is not kept, so nothing alerts by it" in done.err
