"""Staging runs beside production on one machine, and neither notices the other."""

from datetime import UTC, datetime

import pytest

from settings.load import load_settings
from warehouse.layout import Layout
from warehouse.lock import hold_lock


@pytest.mark.slow
def test_staging_runs_while_production_is_at_work(full_home, tape, tapewatch, monkeypatch):
    """The runbook's way: the same tape, PIPELINE_ENV=staging, then logs/runs/staging_*."""
    production = Layout.of(load_settings())
    before = production.latest.readlink(), production.current.read_text()
    monkeypatch.setenv("PIPELINE_ENV", "staging")

    with hold_lock(production.lock, "a" * 32, datetime.now(UTC)):
        done = tapewatch("run", "--input", tape)

    assert done.code == 0, done.err
    assert (production.latest.readlink(), production.current.read_text()) == before
    [folder] = (full_home / "logs/runs").glob("staging_2*")
    assert (folder / "pipeline_summary.json").is_file()
    assert (full_home / "logs/runs/staging_latest").readlink().name == folder.name
    assert len(list((full_home / "data-staging/runs").iterdir())) == 1
