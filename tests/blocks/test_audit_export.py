"""An export is one moment of the store, whole or absent, readable to the last digit."""

import json
import stat
from decimal import Decimal

import duckdb
import pytest
from psycopg.types.json import Jsonb

from blocks.clients.audit_export import ChainBrokenError, ExportExistsError, export_store
from blocks.clients.audit_manifest import (
    TABLES,
    ExportDamagedError,
    ExportTooNewError,
    file_of,
    load_export,
)
from blocks.clients.audit_store import StorePermissionError, StoreSchemaError
from tests.blocks.audit_exports import FILES, ROWS, RUNS, record, rows_of, store_of
from tests.supabase.payloads import payload, run_id
from warehouse.durable import sha256_file
from warehouse.json_text import pretty_json


def test_an_export_holds_every_table_and_the_newest_link(filled, tmp_path):
    link = record(filled, RUNS + 1)

    manifest = export_store(store_of(filled), tmp_path / "export")

    assert load_export(tmp_path / "export") == manifest
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == sorted(FILES)
    assert rows_of(manifest)["kpi_values"] == 12  # 4 runs x 3 KPIs
    assert (manifest.chain_head.seq, manifest.chain_head.hash) == (4, link["ledger_hash"])
    for table, facts in manifest.tables.items():
        assert facts.sha256 == sha256_file(tmp_path / "export" / file_of(table))


def test_every_file_is_for_its_owner_alone(export):
    assert stat.S_IMODE(export.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in export.iterdir()} == {0o600}


def test_any_tool_can_read_an_export_to_the_last_digit(database, tmp_path):
    sent = payload()
    sent["kpi_values"][0]["value"] = "12345678901234567890123456.123456"
    database.rows("app", "select analytics.record_pipeline_run(%s)", Jsonb(sent))
    export_store(store_of(database), tmp_path / "export")

    kpis, runs = (str(tmp_path / "export" / file_of(t)) for t in ("kpi_values", "pipeline_runs"))
    named = "select value from read_parquet(?) where kpi_name = ?"
    (value,) = duckdb.execute(named, [kpis, sent["kpi_values"][0]["kpi_name"]]).fetchone()
    facts = "select run_id, settings, epoch_us(started_at) from read_parquet(?)"
    run, settings, started = duckdb.execute(facts, [runs]).fetchone()

    assert Decimal(value) == Decimal("12345678901234567890123456.123456")
    assert (run, json.loads(settings)) == (str(run_id(1)), {"tolerance": "0.01", "unset": None})
    assert started == 1764568800000000  # 2025-12-01T06:00:00Z


def test_an_unchanged_store_gives_the_same_files_again(export, filled):
    again = export_store(store_of(filled), export.with_name("again"))

    assert again.tables == load_export(export).tables


def test_runs_that_arrive_during_an_export_are_not_in_it(filled, tmp_path):
    arrived = []

    def arrive(_):
        arrived.append(record(filled, RUNS + 1 + len(arrived)))

    manifest = export_store(store_of(filled), tmp_path / "export", arrive)

    assert len(arrived) > len(TABLES)
    assert rows_of(manifest) == ROWS
    assert manifest.chain_head.seq == RUNS


def test_a_broken_chain_is_not_exported(filled, tmp_path):
    filled.rows(
        "superuser",
        "set session_replication_role = replica;"
        "update analytics.kpi_values set value = 0 where run_id in"
        " (select run_id from analytics.audit_ledger where seq = 2)",
    )

    with pytest.raises(ChainBrokenError, match=f"link 2 of run {run_id(2)}.*altered"):
        export_store(store_of(filled), tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_folder_that_exists_is_left_alone(filled, tmp_path, is_empty):
    if not is_empty:
        (tmp_path / "mine").write_text("mine")

    with pytest.raises(ExportExistsError):
        export_store(store_of(filled), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ([] if is_empty else ["mine"])


def test_nothing_is_left_of_an_export_that_fails_in_its_middle(filled, tmp_path):
    def fail(told):
        if "audit_ledger" in told:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_store(store_of(filled), tmp_path / "export", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_login_that_may_not_read_exports_nothing(filled, tmp_path):
    with pytest.raises(StorePermissionError):
        export_store(store_of(filled, "authenticated"), tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_the_tables_is_told_to_migrate(empty_database, tmp_path):
    with pytest.raises(StoreSchemaError) as raised:
        export_store(store_of(empty_database), tmp_path / "export")
    assert "tapewatch audit migrate" in raised.value.fix


def test_no_byte_of_a_manifest_can_be_another(export):
    path = export / "manifest.json"
    written = path.read_bytes()

    for place in range(len(written)):
        for flip in (0x01, 0x20):
            path.write_bytes(
                written[:place] + bytes([written[place] ^ flip]) + written[place + 1 :]
            )
            with pytest.raises(
                (ExportDamagedError, ExportTooNewError), match=r"manifest\.json|has format"
            ):
                load_export(export)


def test_a_manifest_with_a_byte_too_many_is_damaged(export):
    with (export / "manifest.json").open("ab") as file:
        file.write(b"\n")

    with pytest.raises(ExportDamagedError, match="manifest"):
        load_export(export)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b"\xff", b'{"format_version": 1}'])
def test_what_is_no_manifest_is_damaged(export, body):
    (export / "manifest.json").write_bytes(body)

    with pytest.raises(ExportDamagedError, match="manifest"):
        load_export(export)


def test_an_export_of_a_newer_tapewatch_is_told_apart(export):
    path = export / "manifest.json"
    path.write_bytes(pretty_json({**json.loads(path.read_bytes()), "format_version": 2}))

    with pytest.raises(ExportTooNewError, match="format 2"):
        load_export(export)
