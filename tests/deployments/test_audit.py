"""`tapewatch audit` and `deliver` with a real store: what is sent, verified, and found altered."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.deployments.test_verify import forge, kept
from warehouse.json_text import pretty_json

FORGE = "set session_replication_role = replica; "  # what only a superuser can
ANEW = """
update analytics.kpi_values set value = 0 where kpi_name = 'par_90';
update analytics.audit_ledger set run_digest = analytics.run_digest(run_id);
update analytics.audit_ledger
   set entry_hash = analytics.ledger_hash(seq, run_id, run_digest, prev_hash, recorded_at)
"""
BLINDED = """
create or replace function analytics.verify_audit_chain(p_since bigint default 0)
returns table (seq bigint, run_id uuid, problem text) language sql as
'select null::bigint, null::uuid, null::text where false';
update analytics.kpi_values set value = 0.01 where kpi_name = 'par_90'
"""


@pytest.fixture(params=["postgres", "rest"])
def store(request, monkeypatch):
    """The test's database, set as the audit store by either road."""
    database = request.getfixturevalue("database")
    if request.param == "postgres":
        monkeypatch.setenv("SUPABASE_DB_URL", database.url("app"))
    else:
        rest = request.getfixturevalue("rest")
        monkeypatch.setenv("SUPABASE_URL", rest.url)
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", rest.secret_key)
    return database


@pytest.fixture
def postgres_store(database, monkeypatch):
    monkeypatch.setenv("SUPABASE_DB_URL", database.url("app"))
    return database


def test_the_store_holds_the_kpis_that_the_command_shows(full_home, store, tapewatch):
    assert tapewatch("deliver").code == 0

    shown = json.loads(tapewatch("kpi", "--json").out)["kpis"]
    stored = store.rows(
        "app", "select kpi_name, value, status, numerator, denominator from analytics.kpi_values"
    )

    assert {name: values for name, *values in stored} == {
        kpi["name"]: [
            _exact(kpi["value"]),
            kpi["status"],
            _exact(kpi["numerator"]),
            _exact(kpi["denominator"]),
        ]
        for kpi in shown
    }


def _exact(text):
    return None if text is None else Decimal(text)


def test_a_run_sends_its_rows_as_it_ends(home, tape, store, tapewatch):
    done = tapewatch("run", "--input", tape, "--json")

    assert json.loads(done.out)["deliveries"] == {
        "audit_store": {"sent": 1, "refused": 0, "pending": 0}
    }
    assert store.rows("app", "select status, run_folder from analytics.pipeline_runs") == [
        ("success", json.loads(done.out)["run_folder"].rpartition("/")[2])
    ]
    summary = json.loads((home / "logs/runs/latest/pipeline_summary.json").read_text())
    assert summary["deliveries"]["audit_store"]["sent"] == 1


def test_the_same_tape_again_sends_nothing(home, tape, store, tapewatch):
    for _ in range(3):
        assert tapewatch("run", "--input", tape).code == 0

    (count,) = store.rows("app", "select count(*) from analytics.audit_ledger")
    assert count == (1,)


def test_a_refused_tape_is_told_without_its_message(home, tape, postgres_store, tapewatch):
    (tape / "loans.csv").rename(tape / "loans.away")
    try:
        refused = tapewatch("run", "--input", tape)
    finally:
        (tape / "loans.away").rename(tape / "loans.csv")
    assert refused.code == 65

    assert tapewatch("deliver").code == 0

    ((status, error),) = postgres_store.rows(
        "app", "select status, error from analytics.pipeline_runs"
    )
    assert status == "failed"
    assert error["exit_code"] == 65
    assert set(error) == {"code", "exit_code"}


def test_a_later_run_seals_the_newest_link_it_knew(home, tape, postgres_store, tapewatch):
    tapewatch("run", "--input", tape, "--as-of", "2025-12-09")
    (first,) = postgres_store.rows(
        "app", "select seq, encode(entry_hash, 'hex') from analytics.audit_ledger"
    )

    done = tapewatch("run", "--input", tape, "--as-of", "2025-12-10", "--json")

    assert done.code == 0, done.err
    folder = Path(json.loads(done.out)["run_folder"])
    sealed = json.loads((folder / "audit.json").read_text())["run"]
    assert (sealed["ledger_seen_seq"], sealed["ledger_seen_hash"]) == first


def test_a_dead_store_fails_no_run_and_gets_all_of_it_later(
    home, tape, postgres_store, monkeypatch, tapewatch
):
    well = postgres_store.url("app")
    monkeypatch.setenv("SUPABASE_DB_URL", "postgresql://app:canary@127.0.0.1:9/x")
    run = tapewatch("run", "--input", tape, "--json")
    assert run.code == 0
    told = json.loads(run.out)["deliveries"]["audit_store"]
    assert (told["pending"], told["code"]) == (1, "AUDIT_STORE_UNAVAILABLE")

    failed = tapewatch("deliver")
    assert failed.code == 69
    assert "pending  1, the oldest for 0.0 h" in failed.out
    assert "canary" not in failed.out + failed.err + run.out + run.err

    monkeypatch.setenv("SUPABASE_DB_URL", well)
    assert tapewatch("deliver").code == 0
    assert postgres_store.rows("app", "select count(*) from analytics.pipeline_runs") == [(1,)]


def test_nothing_is_sent_for_a_look_at_the_payload(full_home, postgres_store, tapewatch):
    done = tapewatch("audit", "payload")

    payload = json.loads(done.out)
    assert payload["schema_version"] == 1
    assert len(payload["run"]["manifest_sha256"]) == 64
    assert {kpi["kpi_name"] for kpi in payload["kpi_values"]} >= {"par_90", "rdr_90"}
    assert postgres_store.rows("app", "select 1 from analytics.pipeline_runs") == []


def test_without_a_store_nobody_is_told_and_writing_is_an_error(full_home, tapewatch):
    assert tapewatch("deliver").out.startswith("nobody to tell: no receiver is set (")
    refused = tapewatch("audit", "write")
    assert refused.code == 78
    assert refused.err.startswith("TAPEWATCH-AUDIT_STORE_NOT_SET: ")
    assert tapewatch("audit", "verify").code == 0


def test_a_store_that_holds_what_was_sealed_is_sound(full_home, store, tapewatch):
    tapewatch("audit", "write")

    done = tapewatch("audit", "verify", "--json")

    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert document["is_sound"] is True
    assert (document["links"], document["received"], document["pending"]) == (1, 1, 0)


@pytest.mark.parametrize(
    ("forgery", "noticed"),
    [
        ("update analytics.kpi_values set value = 0 where kpi_name = 'par_90'", "par_90"),
        ("delete from analytics.data_quality_results", "altered"),
        ("update analytics.pipeline_runs set started_at = '2020-01-01'", "altered"),
        ("delete from analytics.audit_ledger", "link 1 was received and is not in the store"),
        (
            "delete from analytics.audit_ledger; delete from analytics.pipeline_runs",
            "the run is not in the store",
        ),
    ],
)
def test_what_a_superuser_did_to_the_store_is_found(
    full_home, postgres_store, tapewatch, forgery, noticed
):
    tapewatch("audit", "write")
    postgres_store.rows("superuser", FORGE + forgery)

    done = tapewatch("audit", "verify")

    assert done.code == 65
    assert done.err.startswith("TAPEWATCH-AUDIT_MISMATCH: ")
    assert noticed in done.out


def test_a_chain_that_was_written_anew_over_other_values_is_found(
    full_home, postgres_store, tapewatch
):
    tapewatch("audit", "write")
    postgres_store.rows(
        "superuser",
        FORGE + ANEW,
    )
    assert postgres_store.rows("app", "select * from analytics.verify_audit_chain()") == []

    done = tapewatch("audit", "verify")

    assert done.code == 65
    assert "link 1 has another hash than was received" in done.out
    assert "kpi_values par_90: value is 0" in done.out


def test_a_store_whose_checks_were_replaced_is_found(full_home, postgres_store, tapewatch):
    tapewatch("audit", "write")
    postgres_store.rows(
        "superuser",
        FORGE + BLINDED,
    )

    assert tapewatch("audit", "verify").code == 65


def test_one_flipped_byte_of_a_run_folder_is_found(
    full_home, postgres_store, run_folder, tapewatch
):
    tapewatch("audit", "write")
    path = run_folder / "audit.json"
    path.write_bytes(path.read_bytes().replace(b"par_90", b"par_91", 1))

    done = tapewatch("audit", "verify")

    assert done.code == 65
    assert "audit.json has other bytes than were sealed" in done.out


def test_an_altered_run_is_never_sent(full_home, postgres_store, run_folder, tapewatch):
    path = run_folder / "audit.json"
    path.write_bytes(path.read_bytes().replace(b"par_90", b"par_91", 1))

    done = tapewatch("deliver")

    assert done.code == 65
    assert done.err.startswith("TAPEWATCH-HASH_MISMATCH: ")
    assert "refused" in done.out
    assert postgres_store.rows("app", "select 1 from analytics.pipeline_runs") == []


def test_other_facts_in_the_store_are_refused_and_set_apart(full_home, postgres_store, tapewatch):
    payload = json.loads(tapewatch("audit", "payload").out)
    payload["run"]["git_sha"] = "another"
    postgres_store.rows(
        "app", "select analytics.record_pipeline_run(%s::jsonb)", json.dumps(payload)
    )

    done = tapewatch("deliver", "--json")

    assert done.code == 65
    (told,) = json.loads(done.out)["receivers"]
    assert (told["pending"], told["refused_in_all"], told["code"]) == (0, 1, "AUDIT_REFUSED")
    assert tapewatch("deliver").code == 0  # it is set apart: the next run is not held up by it
    assert tapewatch("deliver", "--retry-refused").code == 65


def test_everything_is_sent_again_to_a_restored_store(home, tape, postgres_store, tapewatch):
    for day in ("2025-12-08", "2025-12-09", "2025-12-10"):  # the later ones seal an older link
        assert tapewatch("run", "--input", tape, "--as-of", day).code == 0
    assert tapewatch("audit", "verify").code == 0
    tables = "pipeline_runs, raw_artifacts, kpi_values, data_quality_results, audit_ledger"
    for table in reversed(tables.split(", ")):
        postgres_store.rows("superuser", FORGE + f"delete from analytics.{table}")  # noqa: S608
    assert tapewatch("audit", "verify").code == 65

    assert tapewatch("deliver", "--again").code == 0

    done = tapewatch("audit", "verify")
    assert done.code == 0, done.out
    assert "3 of them compared with their run folder" in done.out


def test_another_store_gets_what_the_first_one_has(
    full_home, postgres_store, databases, monkeypatch, tapewatch
):
    tapewatch("deliver")
    with databases.migrated() as other:
        monkeypatch.setenv("SUPABASE_DB_URL", other.url("app").replace("127.0.0.1", "localhost"))
        assert tapewatch("audit", "verify").code == 0
        assert tapewatch("deliver").code == 0
        assert other.rows("app", "select count(*) from analytics.pipeline_runs") == [(1,)]
        assert tapewatch("audit", "verify").code == 0


def test_what_the_store_refused_is_named_by_verify(full_home, postgres_store, tapewatch):
    payload = json.loads(tapewatch("audit", "payload").out)
    payload["run"]["manifest_sha256"] = "f" * 64
    postgres_store.rows(
        "app", "select analytics.record_pipeline_run(%s::jsonb)", json.dumps(payload)
    )
    tapewatch("deliver")

    done = tapewatch("audit", "verify", "--json")

    told = [m["what"] for m in json.loads(done.out)["mismatches"]]
    assert done.code == 65
    assert "the store refused it for good" in told
    assert any(f"manifest_sha256 is {'f' * 64}" in what for what in told)


def test_a_damaged_receipt_hides_nothing(full_home, postgres_store, tapewatch):
    tapewatch("deliver")
    (receipt,) = full_home.glob("data/delivery/*/audit_store/received/*.json")
    receipt.write_text(receipt.read_text()[:-5])

    assert tapewatch("audit", "verify").code == 65
    assert tapewatch("deliver").code == 0
    assert tapewatch("audit", "verify").code == 0


def test_audit_rows_that_say_otherwise_than_the_run_are_found(full_home, run_folder, tapewatch):
    path = run_folder / "audit.json"
    rows = json.loads(path.read_text())
    rows["kpi_values"][3]["value"] = "0.000001"
    path.write_bytes(pretty_json(rows))
    facts = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    forge(run_folder, lambda manifest: manifest["files"]["audit.json"].update(facts))

    for command in (["verify"], ["audit", "verify"]):
        done = tapewatch(*command)
        assert done.code == 65
        assert "its kpi_values differ from the manifest" in done.out


def test_a_run_ends_well_whatever_is_wrong_with_the_settings_of_the_store(
    home, tape, monkeypatch, tapewatch
):
    monkeypatch.setenv("SUPABASE_URL", "https://db.example.com")  # and no key

    done = tapewatch("run", "--input", tape, "--json")

    assert done.code == 0
    told = json.loads(done.out)["deliveries"]["audit_store"]
    assert (told["code"], told["pending"]) == ("AUDIT_HALF_CONFIGURED", 1)
    assert tapewatch("deliver").code == 78


def test_the_summary_anchors_the_run_outside_the_store(home, tape, postgres_store, tapewatch):
    run = json.loads(tapewatch("run", "--input", tape, "--json").out)

    summary = json.loads((home / "logs/runs/latest/pipeline_summary.json").read_text())

    manifest = (Path(run["run_folder"]) / "manifest.json").read_bytes()
    assert summary["anchor"]["manifest_sha256"] == hashlib.sha256(manifest).hexdigest()
    ((seq, entry_hash),) = postgres_store.rows(
        "app", "select seq, encode(entry_hash, 'hex') from analytics.audit_ledger"
    )
    assert summary["anchor"]["ledger"] == {"seq": seq, "hash": entry_hash}


def test_what_verifying_the_store_found_is_kept(full_home, postgres_store, tapewatch):
    assert tapewatch("deliver").code == 0
    assert tapewatch("audit", "verify").code == 0
    sound = kept(full_home, "audit")
    postgres_store.rows("superuser", FORGE + ANEW)
    assert tapewatch("audit", "verify").code == 65
    found = kept(full_home, "audit")

    assert (sound["is_sound"], sound["problems"]) == (True, {})
    assert found["is_sound"] is False
    assert found["verified_at"] > sound["verified_at"]


def test_a_broken_folder_is_kept_though_the_store_does_not_answer(
    full_home, run_folder, monkeypatch, tapewatch
):
    monkeypatch.setenv("SUPABASE_DB_URL", "postgresql://nobody@127.0.0.1:1/none")
    (run_folder / "book.parquet").unlink()

    assert tapewatch("audit", "verify").code == 69
    assert kept(full_home, "audit")["problems"] == {run_folder.name: 1}
