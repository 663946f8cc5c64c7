"""Every past day that is kept is proved against the sealed tables it was worked out from."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.warehouse.mixed_tape import mixed_tape
from tests.warehouse.tape_runs import NOW, Desk
from warehouse.backfill import PastDays, backfill
from warehouse.history_proof import HistoryProof, verify_history
from warehouse.identity import RunIdentity
from warehouse.kpi_history import KpiHistory
from warehouse.layout import Layout

DAY = date(2025, 11, 30)


class Past(Desk):
    """A run with three past days, and what is found of them."""

    def prove(self):
        self.told = []
        spill = self.root / "spill"
        return verify_history(
            self.layout, self.sealed, self.settings, spill, lambda *n: self.told.append(n)
        )

    @property
    def history(self):
        return KpiHistory.of(self.layout, self.sealed)

    def say(self, day, **changed):
        """Keep another PAR 90 of a day, with the hash that fits."""
        values = self.history.read(day)
        self.history.write(
            day, tuple(replace(v, **changed) if v.name == "par_90" else v for v in values)
        )


@pytest.fixture
def past(tmp_path):
    past = Past(tmp_path / "root")
    past.sealed = past.run(mixed_tape().write(tmp_path / "tape"), as_of=None).sealed
    asked = PastDays(date(2025, 9, 30), DAY)
    backfill(past.layout, past.sealed, past.settings, asked, NOW, lambda _done, _of: None)
    return past


def test_what_was_backfilled_comes_out_the_same(past):
    assert past.prove() == HistoryProof(3, is_rebuilt=True, problems=())
    assert past.told == [(1, 3), (2, 3), (3, 3)]


def test_a_run_without_a_history_has_nothing_to_prove(past):
    for path in past.history.folder.iterdir():
        path.unlink()

    assert past.prove() == HistoryProof(0, is_rebuilt=True, problems=())


def test_it_is_found_by_the_layout_of_another_book(past):
    past.layout = Layout(past.layout.data, past.layout.logs, "production-other")

    assert past.prove().days == 3


@pytest.mark.parametrize("changed", [{"value": Decimal("0.01")}, {"numerator": Decimal(1)}])
def test_an_altered_point_is_named_although_its_hash_fits(past, changed):
    past.say(DAY, **changed)

    [problem] = past.prove().problems

    # LATE-100 of the six live loans: 100,000 / 292,000, worked out in test_backfill.py
    assert (problem.folder, problem.file) == (past.sealed.name, "2025-11-30.json")
    assert problem.what.startswith("says par_90 ")
    assert "the sealed tables give 0.342466 (100000.000000 / 292000.000000)" in problem.what


def test_an_unknown_point_that_was_given_a_value_is_named(past):
    values = past.history.read(DAY)
    told = [replace(v, value=Decimal(9)) if v.name == "data_quality_score" else v for v in values]
    past.history.write(DAY, tuple(told))

    [problem] = past.prove().problems

    assert problem.what == "says data_quality_score 9, the sealed tables give unknown"


def test_a_day_that_lacks_a_kpi_is_named(past):
    past.history.write(DAY, past.history.read(DAY)[1:])

    [problem] = past.prove().problems

    assert problem.what == "lacks par_7"


def test_a_point_with_another_hash_is_named_and_the_others_are_worked_out(past):
    file = past.history.folder / f"{DAY}.json"
    file.write_text(file.read_text().replace("100000.000000", "100001.000000"))

    proof = past.prove()

    assert [problem.file for problem in proof.problems] == ["2025-11-30.json"]
    assert "its hash is another" in proof.problems[0].what
    assert past.told[-1] == (2, 2)


def test_a_day_after_the_run_is_named(past):
    past.history.write(date(2026, 1, 31), past.history.read(DAY))

    [problem] = past.prove().problems

    assert (problem.file, problem.what) == (
        "2026-01-31.json",
        "is of a day that the run cannot tell",
    )


def test_by_another_sql_the_hashes_alone_are_proved(past):
    identity = vars(past.sealed.manifest.identity) | {"sql_sha256": "0" * 64}
    manifest = replace(past.sealed.manifest, identity=RunIdentity(**identity))
    values = past.history.read(DAY)
    past.sealed = replace(past.sealed, manifest=manifest)
    past.history.write(DAY, values)

    proof = past.prove()

    assert (proof.days, proof.is_rebuilt, past.told) == (3, False, [])
    assert [p.file for p in proof.problems] == ["2025-09-30.json", "2025-10-31.json"]  # of the run


def test_the_kept_file_says_of_which_run_and_sql_it_is(past):
    told = json.loads((past.history.folder / f"{DAY}.json").read_text())

    assert told["run_id"] == past.sealed.manifest.run_id
    assert told["sql_sha256"] == past.sealed.manifest.identity.sql_sha256
