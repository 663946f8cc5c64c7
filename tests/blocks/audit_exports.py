"""Stores of a few runs, what an export of one holds, and how one is forged."""

from dataclasses import replace

import psycopg
import pytest
from psycopg.types.json import Jsonb
from pyarrow import parquet

from blocks.clients.audit_manifest import TABLES, TableFacts, file_of, load_export
from blocks.clients.audit_postgres import PostgresStore
from settings.load import load_settings
from tests.supabase.payloads import payload
from warehouse.durable import sha256_file

RUNS = 3
FILES = [*map(file_of, TABLES), "manifest.json"]
ROWS = {  # of three runs as tests/supabase/payloads.py makes them
    "pipeline_runs": 3,
    "raw_artifacts": 3,
    "kpi_values": 9,
    "data_quality_results": 6,
    "audit_ledger": 3,
}


def store_of(database, role="app"):
    env = {"TAPEWATCH_PII_KEY": "k" * 16, "SUPABASE_DB_URL": database.url(role)}
    return PostgresStore(load_settings(env).audit)


def record(database, number):
    query = "select analytics.record_pipeline_run(%s)"
    ((link,),) = database.rows("app", query, Jsonb(payload(number)))
    return link


def rows_of(manifest):
    return {table: facts.rows for table, facts in manifest.tables.items()}


def forge(export, table, change):
    """Rewrite a table's file and its line of the manifest, as one who knows the code would."""
    path = export / file_of(table)
    parquet.write_table(change(parquet.read_table(path)), path)
    forge_manifest(export, table, parquet.read_metadata(path).num_rows)


def forge_manifest(export, table, rows):
    """Make the manifest say what a table's file is now."""
    path = export / file_of(table)
    manifest = load_export(export)
    facts = TableFacts(rows, sha256_file(path), path.stat().st_size)
    forged = replace(manifest, tables={**manifest.tables, table: facts})
    (export / "manifest.json").write_bytes(forged.to_json())


def assert_gone(servers):
    ((url, folder),) = servers
    assert not folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
