"""`tapewatch audit migrate`, `export` and `drill` as a person and a program use them."""

import json
import re

import pytest
from psycopg.types.json import Jsonb

from tests.supabase.payloads import payload


@pytest.fixture
def use(home, monkeypatch):
    """Point the commands at a database by its URL."""

    def point(database, role="app"):
        monkeypatch.setenv("SUPABASE_DB_URL", database.url(role))
        return database

    return point


@pytest.fixture
def filled(use, database):
    """A store of two runs, in use."""
    for number in (1, 2):
        database.rows("app", "select analytics.record_pipeline_run(%s)", Jsonb(payload(number)))
    return use(database)


def test_migrate_says_what_it_applied_and_then_that_nothing_is_left(use, empty_database, tapewatch):
    use(empty_database, "owner")

    first, again = tapewatch("audit", "migrate"), tapewatch("audit", "migrate")

    assert (first.code, again.code) == (0, 0)
    assert first.out.startswith("applied 20251231000000_pipeline_audit_tables.sql\n")
    assert re.fullmatch(r"Postgres at 127\.0\.0\.1:\d+ is up to date\n", again.out)


def test_migrate_tells_a_program_what_it_applied(use, empty_database, tapewatch):
    use(empty_database, "owner")

    documents = [json.loads(tapewatch("audit", "migrate", "--json").out) for _ in range(2)]

    assert documents[0]["applied"] == documents[0]["migrations"] == documents[1]["migrations"] != []
    assert documents[1]["applied"] == []


@pytest.mark.parametrize("command", [["migrate"], ["export", "out"]])
@pytest.mark.parametrize("is_rest_set", [True, False])
def test_without_the_url_of_its_postgres_the_variable_is_named(
    home, tapewatch, monkeypatch, command, is_rest_set
):
    if is_rest_set:
        monkeypatch.setenv("SUPABASE_URL", "https://x.example")
        monkeypatch.setenv("SUPABASE_SERVICE_ROLE", "canary")

    done = tapewatch("audit", *command)

    assert done.code == 78
    assert "TAPEWATCH-AUDIT_NO_DB_URL" in done.err
    assert "export SUPABASE_DB_URL=" in done.err
    assert ("supabase db push" in done.err) is (command == ["migrate"])
    assert "canary" not in done.err


def test_export_shows_its_tables_its_newest_link_and_how_to_prove_it(filled, tapewatch, tmp_path):
    done = tapewatch("audit", "export", tmp_path / "out")

    assert (done.code, done.err) == (0, "")
    assert re.search(r"^kpi_values +6 ", done.out, re.MULTILINE)
    assert re.search(r"^newest link +2, [0-9a-f]{64}$", done.out, re.MULTILINE)
    assert f"tapewatch audit drill {tmp_path / 'out'}" in done.out


def test_without_a_folder_an_export_gets_one_of_its_own_where_the_settings_say(
    filled, tapewatch, tmp_path, monkeypatch
):
    monkeypatch.setenv("TAPEWATCH_AUDIT__EXPORT_FOLDER", str(tmp_path / "cold"))

    document = json.loads(tapewatch("audit", "export", "--json").out)

    (folder,) = (tmp_path / "cold").iterdir()
    assert document["folder"] == str(folder)
    assert re.fullmatch(r"\d{8}T\d{6}Z", folder.name)
    assert document["chain_head"]["seq"] == 2


def test_export_asks_for_a_folder_when_nothing_names_one(filled, tapewatch):
    done = tapewatch("audit", "export")

    assert done.code == 78
    assert "TAPEWATCH_AUDIT__EXPORT_FOLDER" in done.err


def test_a_folder_that_exists_is_wrong_usage(filled, tapewatch, tmp_path):
    assert tapewatch("audit", "export", tmp_path).code == 64


def test_a_broken_chain_is_refused_loudly(filled, tapewatch, tmp_path):
    filled.rows(
        "superuser",
        "set session_replication_role = replica; delete from analytics.kpi_values",
    )

    done = tapewatch("audit", "export", tmp_path / "out")

    assert (done.code, done.out) == (65, "")
    assert "TAPEWATCH-AUDIT_CHAIN_BROKEN" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_drill_shows_what_it_restored(filled, tapewatch, tmp_path):
    exported = json.loads(tapewatch("audit", "export", tmp_path / "out", "--json").out)

    done = tapewatch("audit", "drill", tmp_path / "out")
    document = json.loads(tapewatch("audit", "drill", tmp_path / "out", "--json").out)

    assert (done.code, done.err) == (0, "")
    assert re.search(r"^restored +every row, in [\d.]+ s on PostgreSQL 1\d", done.out, re.MULTILINE)
    assert document["is_restored"] is True
    assert {name: document[name] for name in exported} == exported


def test_drill_refuses_a_damaged_export_and_names_the_file(filled, tapewatch, tmp_path):
    tapewatch("audit", "export", tmp_path / "out")
    path = tmp_path / "out" / "audit_ledger.parquet"
    path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2"))

    done = tapewatch("audit", "drill", tmp_path / "out")

    assert (done.code, done.out) == (65, "")
    assert f"{path} is not what was written" in done.err


def test_drill_of_a_folder_that_is_no_export_says_so(home, tapewatch, tmp_path):
    done = tapewatch("audit", "drill", tmp_path)

    assert done.code == 65
    assert "manifest.json is missing" in done.err


def verdict_of(home):
    found = [*home.glob("data/verification/*/drill.json")]
    return json.loads(found[0].read_bytes()) if found else None


def test_a_drill_that_is_recorded_tells_the_exporter_how_it_went(home, filled, tapewatch, tmp_path):
    out = tmp_path / "out"
    tapewatch("audit", "export", out)

    assert tapewatch("audit", "drill", out).code == 0
    assert verdict_of(home) is None  # nobody asked
    assert tapewatch("audit", "drill", out, "--record").code == 0
    sound = verdict_of(home)
    (table, *_) = sorted(out.glob("*.parquet"))
    table.write_bytes(b"rotten")
    assert tapewatch("audit", "drill", out, "--record").code == 65
    broken = verdict_of(home)

    assert (sound["is_sound"], sound["problems"]) == (True, {})
    assert (broken["is_sound"], broken["problems"]) == (False, {"out": 1})
    assert broken["verified_at"] == sound["verified_at"]  # of the last that proved anything


def test_an_export_that_was_never_written_is_no_damaged_one(home, tapewatch, tmp_path):
    assert tapewatch("audit", "drill", tmp_path / "none", "--record").code == 65
    assert verdict_of(home) is None
