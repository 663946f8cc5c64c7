"""A drill restores an export to the store that it was, and finds what is not as it was written."""

from contextlib import contextmanager
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from pyarrow import parquet

from blocks.clients import audit_drill, throw_away_postgres
from blocks.clients.audit_drill import DrillFailedError, restore_drill
from blocks.clients.audit_export import export_store
from blocks.clients.audit_manifest import (
    TABLES,
    ExportDamagedError,
    file_of,
    load_export,
)
from tests.blocks.audit_exports import (
    FILES,
    ROWS,
    RUNS,
    assert_gone,
    forge,
    forge_manifest,
    rows_of,
    store_of,
)
from tests.supabase.payloads import run_id


def as_text(database, table):
    """Every row of a table, each as the text that the server makes of it."""
    query = sql.SQL("select t::text from {} t order by 1")
    return database.rows("superuser", query.format(sql.Identifier("analytics", table)))


@pytest.fixture
def servers(monkeypatch):
    """The URL and the folder of every server that a drill starts."""
    started = []

    @contextmanager
    def recorded():
        with throw_away_postgres.throw_away_server() as url:
            with psycopg.connect(url) as connection:
                ((folder,),) = connection.execute("show data_directory").fetchall()
            started.append((url, Path(folder).parent))
            yield url

    monkeypatch.setattr(audit_drill, "throw_away_server", recorded)
    return started


@pytest.mark.slow
def test_an_export_restores_to_the_same_store(export, servers):
    drilled = restore_drill(export)

    assert drilled.manifest == load_export(export)
    assert rows_of(drilled.manifest) == ROWS
    assert_gone(servers)


@pytest.mark.slow
def test_every_column_is_restored_as_it_was(export, filled, databases):
    with databases.migrated() as restored, psycopg.connect(restored.url("superuser")) as connection:
        for table in TABLES:
            audit_drill._restore(connection, export / file_of(table), table)
        connection.commit()

        for table in TABLES:
            assert as_text(restored, table) == as_text(filled, table) != []


@pytest.mark.slow
def test_an_export_of_an_empty_store_restores_to_one(database, tmp_path):
    export_store(store_of(database), tmp_path / "export")

    drilled = restore_drill(tmp_path / "export")

    assert drilled.manifest.chain_head is None
    assert set(rows_of(drilled.manifest).values()) == {0}


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found_in_every_file(export, name):
    path = export / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)

    with pytest.raises(ExportDamagedError, match=name):
        restore_drill(export)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(export, name):
    (export / name).unlink()

    with pytest.raises(ExportDamagedError, match=f"{name} is missing"):
        restore_drill(export)


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_file_cut_short_is_named_with_its_sizes(export, name):
    path = export / name
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ExportDamagedError, match=rf"{name} has [\d,]+ bytes"):
        restore_drill(export)


def without_row(table):
    return table.slice(1) if table.num_rows > 1 else table.slice(0, 0)


def with_other_value(table):
    values = ["0.5", *table.column("value").to_pylist()[1:]]
    place = table.schema.get_field_index("value")
    return table.set_column(place, "value", pa.array(values, pa.string()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "change", "found"),
    [
        ("pipeline_runs", without_row, "raw_artifacts.parquet is not taken by the store"),
        ("raw_artifacts", without_row, "what is stored of the run was altered"),
        ("kpi_values", without_row, "what is stored of the run was altered"),
        ("kpi_values", with_other_value, "what is stored of the run was altered"),
        ("data_quality_results", without_row, "what is stored of the run was altered"),
        ("audit_ledger", without_row, "a link before this one is missing"),
        ("audit_ledger", lambda table: table.slice(0, 2), "the run has no link"),
        ("kpi_values", lambda table: table.append_column("x", table[0]), "is not taken.*x"),
    ],
)
def test_a_forged_file_with_a_fitting_manifest_is_found(export, servers, table, change, found):
    forge(export, table, change)

    with pytest.raises(DrillFailedError, match=found):
        restore_drill(export)
    assert_gone(servers)


@pytest.mark.slow
def test_an_export_without_its_newest_run_does_not_end_as_it_did(export):
    runs = parquet.read_table(export / "pipeline_runs.parquet")["run_id"].to_pylist()
    newest = str(run_id(RUNS))
    assert newest in runs
    for table in TABLES:
        forge(export, table, lambda t: t.filter(pa.compute.not_equal(t["run_id"], newest)))

    with pytest.raises(DrillFailedError, match="ends with"):
        restore_drill(export)


@pytest.mark.slow
def test_a_file_that_is_no_parquet_is_named(export):
    path = export / "kpi_values.parquet"
    path.write_bytes(b"PAR1" * 8)
    forge_manifest(export, "kpi_values", 9)

    with pytest.raises(DrillFailedError, match=r"kpi_values\.parquet cannot be read as Parquet"):
        restore_drill(export)
