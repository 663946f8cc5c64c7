"""Past days worked out from one sealed tape: as a run of that day would have told them."""

import csv
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from settings.kpis import load_catalogue
from tests.warehouse.mixed_tape import mixed_tape
from tests.warehouse.tape_builder import HEADERS, day
from tests.warehouse.tape_rows import read
from tests.warehouse.tape_runs import run_phase
from tests.warehouse.valued_tape import settings_for
from warehouse.backfill import NoLedgerError, NoPastDaysError, PastDays, backfill
from warehouse.identity import RunIdentity
from warehouse.job import RunRequest
from warehouse.kpi_history import KpiHistory
from warehouse.layout import Layout
from warehouse.lock import LockHeldError, hold_lock
from warehouse.manifest import HashMismatchError
from warehouse.reproduce import OtherVersionError
from warehouse.run import Start, run_daily
from warehouse.sealed_kpis import read_kpis
from warehouse.synthetic import SYNTHETIC_AS_OF, write_tape

NOW = datetime(2025, 12, 11, 9, tzinfo=UTC)
PAR = ("par_7", "par_30", "par_60", "par_90")
QUALITY = "data_quality_score"


class Home:
    """A data folder, its served run, and the past days that are asked of it."""

    def __init__(self, root):
        self.settings = settings_for(root)
        self.layout = Layout.of(self.settings)

    def publish(self, folder, as_of=None):
        start = Start(f"a{len(list(folder.parent.iterdir()))}", NOW, "test")
        request = RunRequest((folder,), as_of)
        self.run = run_daily(request, self.settings, start, run_phase).sealed
        return self

    def backfill(self, first=None, last=None, every="month", told=lambda _done, _of: None):
        days = PastDays(first and day(first), last and day(last), every)
        return backfill(self.layout, self.run, self.settings, days, NOW, told)

    def values(self, on):
        found = KpiHistory.of(self.layout, self.run).read(day(on))
        assert found is not None
        return {value.name: value for value in found}

    def files(self):
        folder = KpiHistory.of(self.layout, self.run).folder
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    return write_tape(tmp_path_factory.mktemp("synthetic") / "tape", 2_000).folder


@pytest.fixture(scope="module")
def long_past(synthetic, tmp_path_factory):
    """The synthetic tape published, and every month end of its ledger backfilled."""
    home = Home(tmp_path_factory.mktemp("long")).publish(synthetic)
    home.done = home.backfill()
    return home


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "root").publish(mixed_tape().write(tmp_path / "tape"))


# ------------------------------------------------------------------ the values are right


def snapshot_sums(folder):
    """Return what the lender's own month-end book adds up to, by its reporting date."""
    sums = defaultdict(lambda: defaultdict(Decimal))
    for row in read(folder, "loan_par_balances"):
        at = sums[date.fromisoformat(row["reporting_date"])]
        at["outstanding"] += Decimal(row["outstanding_balance"])
        at["written_off"] += Decimal(row["writeoff_outstanding_balance"])
        for name in PAR:
            at[name] += Decimal(row[f"{name.upper()}_balance_usd"])
    return sums


def test_every_month_end_equals_the_lenders_own_snapshots_to_the_cent(synthetic, long_past):
    sums = {on: at for on, at in snapshot_sums(synthetic).items() if on <= SYNTHETIC_AS_OF}

    assert list(long_past.done.days) == sorted(sums)
    assert len(sums) > 24
    for on, at in sums.items():
        values = long_past.values(on)
        told = {name: (values[name].numerator, values[name].denominator) for name in PAR}
        assert told == {name: (at[name], at["outstanding"]) for name in PAR}, on
        assert values["outstanding"].value == at["outstanding"]
        assert values["written_off"].value == at["written_off"]


def cut(folder, target, on):
    """Write the export as the lender would have sent it on that day: nothing later is in it."""
    target.mkdir()
    born = {r["loan_id"] for r in read(folder, "loans") if date_of(r, "disburse_date") <= on}
    kept = {
        "loans": lambda row: row["loan_id"] in born,
        "schedules": lambda row: row["loan_id"] in born,
        "transactions": lambda row: date_of(row, "date_paid") <= on,
        "loan_par_balances": lambda row: date_of(row, "reporting_date") <= on,
    }
    for table, is_kept in kept.items():
        with (target / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, HEADERS[table], lineterminator="\n")
            writer.writeheader()
            writer.writerows(row for row in read(folder, table) if is_kept(row))
    return target


def date_of(row, column):
    return date.fromisoformat(row[column])


@pytest.mark.slow
@pytest.mark.parametrize("on", ["2023-06-30", "2024-05-31", "2025-02-28", "2025-10-31"])
def test_a_past_day_is_what_a_run_of_the_tape_cut_at_that_day_says(
    synthetic, long_past, tmp_path, on
):
    tape = cut(synthetic, tmp_path / "tape", day(on))
    told = {kpi.name: kpi for kpi in read_kpis(Home(tmp_path).publish(tape, day(on)).run)}

    values = long_past.values(on)

    assert values.keys() == told.keys()
    assert [name for name in told if values[name] != told[name]] == [QUALITY]


def test_every_kpi_that_can_be_known_of_a_past_day_is_known(long_past):
    unknown = {v.name: v.reason for v in long_past.values("2025-11-30").values() if v.value is None}

    assert unknown == {QUALITY: "it needs quality_result, which a past day does not tell"}


def test_a_day_with_less_than_30_days_of_ledger_keeps_that_reason(home):
    home.backfill("2024-10-29", "2024-10-31", "day")  # the first loan is of 2024-10-01

    rates = [home.values(f"2024-10-{d}")["collection_rate"] for d in (29, 30)]
    assert [(rate.status, rate.reason) for rate in rates] == [
        ("unknown", "the ledger is shorter than the window of the collection rate"),
        ("warning" if rates[1].value else "critical", None),
    ]


def test_a_past_day_is_judged_by_the_thresholds(home):
    home.backfill("2025-11-30", "2025-11-30")

    par_90 = home.values("2025-11-30")["par_90"]

    # LATE-100, due 2025-09-01, is 90 days late then: 100,000 of 100,000 + 70,000 + 40,000
    # + 10,000 + 70,000 (NEW) + 2,000 (MONTHLY after two of four instalments)
    assert (par_90.numerator, par_90.denominator) == (100_000, 292_000)
    assert par_90.status == "critical"


# ------------------------------------------------------------------ which days


@pytest.mark.parametrize(
    ("first", "last", "every", "expected"),
    [
        ("2025-09-15", "2025-12-31", "month", ["2025-09-30", "2025-10-31", "2025-11-30"]),
        ("2024-02-01", "2024-02-29", "month", ["2024-02-29"]),
        ("2025-11-24", "2025-12-08", "week", ["2025-11-30", "2025-12-07"]),
        ("2025-12-09", "2026-01-05", "day", ["2025-12-09", "2025-12-10"]),  # the run's last day
        ("2000-01-01", "2023-01-02", "day", ["2023-01-01", "2023-01-02"]),  # the first loan
    ],
)
def test_the_days_are_whole_periods_between_first_loan_and_run(first, last, every, expected):
    asked = PastDays(day(first), day(last), every)

    days = asked.between(date(2023, 1, 1), date(2025, 12, 10))

    assert days == [day(on) for on in expected]


def test_a_range_without_such_a_day_says_what_to_ask_instead(home):
    with pytest.raises(
        NoPastDaysError, match="no month ends between 2025-12-01 and 2025-12-10"
    ) as e:
        home.backfill("2025-12-01")

    assert "--every day" in e.value.fix
    assert home.files() == {}


# ------------------------------------------------------------------ again, and again


def test_the_same_days_again_are_left_as_they_are(home):
    first = home.backfill("2025-09-01")
    before = home.files()

    again = home.backfill("2025-09-01")

    assert (len(first.new), again.new) == (3, ())
    assert again.days == first.days
    assert home.files() == before


def test_a_backfill_that_was_stopped_goes_on_where_it_was(home):
    def stop_at_the_second(done, _of):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        home.backfill("2025-06-01", told=stop_at_the_second)
    before = home.files()
    assert list(sorted(before)) == ["2025-06-30.json", "2025-07-31.json"]

    told = []
    rest = home.backfill("2025-06-01", told=lambda done, of: told.append((done, of)))

    assert rest.new == rest.days[2:]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert home.files().items() > before.items()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"100000.000000"', '"100000.000001"', 1),
        lambda text: text.replace("2025-11-30", "2025-10-31"),
        lambda _text: "[]",
        lambda _text: "",
    ],
)
def test_a_damaged_day_is_none_and_is_worked_out_again(home, damage):
    home.backfill("2025-11-30")
    file = KpiHistory.of(home.layout, home.run).folder / "2025-11-30.json"
    good = file.read_text()
    file.write_text(damage(good))
    assert file.read_text() != good
    assert KpiHistory.of(home.layout, home.run).read(date(2025, 11, 30)) is None

    again = home.backfill("2025-11-30")

    assert len(again.new) == 1
    assert file.read_text() == good


def test_nothing_but_history_is_written_and_no_spill_is_left(home):
    others = {p: p.stat().st_mtime_ns for p in home.layout.data.rglob("*") if p.is_file()}

    home.backfill("2025-11-30")

    after = {p: p.stat().st_mtime_ns for p in home.layout.data.rglob("*") if p.is_file()}
    assert after.items() > others.items()
    new = {str(p.relative_to(home.layout.history)) for p in after.keys() - others.keys()}
    assert new == {"lock", f"{home.run.name}/2025-11-30.json"}
    assert (home.layout.history / "lock").stat().st_mode & 0o077 == 0


def test_two_backfills_of_one_book_do_not_work_at_once(home):
    with hold_lock(home.layout.history / "lock", "another", NOW), pytest.raises(LockHeldError):
        home.backfill()


# ------------------------------------------------------------------ what cannot be backfilled


def test_a_tape_without_a_ledger_is_refused(tmp_path):
    folder = tmp_path / "tape"
    folder.mkdir()
    (folder / "loan_tape.csv").write_text(
        "loan_id,client_id,outstanding_balance,days_past_due,reporting_date\n"
        "A1,C1,100.00,0,2025-12-10\n"
    )
    home = Home(tmp_path / "root").publish(folder, date(2025, 12, 10))

    with pytest.raises(NoLedgerError, match="does not tell every payment") as refused:
        home.backfill()

    assert "Cascade's four tables" in refused.value.fix
    assert not home.layout.history.exists()


def test_a_run_of_other_sql_is_refused(home):
    identity = vars(home.run.manifest.identity) | {"sql_sha256": "0" * 64}
    manifest = replace(home.run.manifest, identity=RunIdentity(**identity))
    home.run = replace(home.run, manifest=manifest)

    with pytest.raises(OtherVersionError, match="sealed by other SQL") as refused:
        home.backfill()

    assert "run its tape again" in refused.value.fix


def test_a_run_that_was_altered_gives_no_history(home):
    rows = home.run.folder / "schedule.parquet"
    rows.chmod(0o600)
    data = bytearray(rows.read_bytes())
    data[len(data) // 2] ^= 1
    rows.write_bytes(data)

    with pytest.raises(HashMismatchError):
        home.backfill()

    assert home.files() == {}


def test_the_whole_catalogue_is_in_each_day(home):
    home.backfill("2025-11-30")

    assert list(home.values("2025-11-30")) == [kpi.name for kpi in load_catalogue()]
