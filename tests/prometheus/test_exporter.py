"""What the exporter tells of a data folder, with figures worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Event, Thread

import pytest

from prometheus.metrics import METRICS
from settings.kpis import load_catalogue
from tests.prometheus.data_folder import CLEAN, DAY, DAY_END, MORNING, DataFolder, Scrape, kpi
from warehouse.manifest import MANIFEST
from warehouse.verification import keep_part, keep_whole, verification_file

ALL_OUTCOMES = {
    *("published", "stored", "already_published", "no_new_data"),
    *("failed", "canceled", "abandoned"),
}
DATED = {
    "CASCADE_SESSION_COOKIE": "session=x",
    "SUPABASE_DB_URL": "postgresql://db.example/postgres",
    "TAPEWATCH_CREDENTIALS__SET_ON": '{"CASCADE_SESSION_COOKIE": "2026-11-01"}',
}
EDGES = ("300.0", "600.0", "720.0", "900.0", "+Inf")


@pytest.fixture
def folder(tmp_path):
    return DataFolder(tmp_path)


def rich(folder):
    """Fill a folder so that every metric has something to tell."""
    found = {
        **CLEAN,
        "checks": {"float_noise": 3, "restated_past": 2},
        "quarantine": {"bad_rows": 4, "row_ratio": "0.002"},
        "restated": {"run": "x", "as_of": "2025-12-25", "changed": 2, "kpis": []},
    }
    before = folder.publish(kpi("par_90", "0.01"), day=date(2025, 12, 25), files=("audit.json",))
    kpis = (kpi("par_90", "0.031", "warning"), kpi("rdr_90", None))
    folder.publish(*kpis, quality=found, before=before)
    keep_whole(verdict_file(folder, "audit"), {before.name: 1}, MORNING)
    folder.attempt("a1", "published", phases={"ingestion": 20, "output": 5})
    folder.attempt("a2", "failed", MORNING + timedelta(hours=1))
    folder.attempt("a3", "running", MORNING + timedelta(hours=2))


def verdict_file(folder, kind):
    return verification_file(folder.layout, "production", kind)


def test_every_declared_metric_is_exported_with_its_labels_and_no_other_is(tmp_path):
    folder = DataFolder(tmp_path, **DATED)
    rich(folder)

    families = list(folder.exporter("audit_store").collect())

    assert [family.name for family in families] == [f"tapewatch_{name}" for name in METRICS]
    for family, metric in zip(families, METRICS.values(), strict=True):
        labels = {tuple(sorted(set(s.labels) - {"le"})) for s in family.samples}
        assert labels == {tuple(sorted(metric.labels))}, family.name
        assert (family.type, family.documentation) == (metric.kind, metric.help)


def test_no_series_tells_when_it_was_created(folder):
    rich(folder)

    assert "_created" not in Scrape(folder.exporter()).text


def test_an_empty_data_folder_has_its_lines_and_no_value(folder):
    scrape = Scrape(folder.exporter())

    names = {family.name.removeprefix("tapewatch_") for family in scrape.families}
    assert names == {
        *("kpi_threshold", "kpi_info", "kpi_alert_info", "pipeline_threshold", "build_info"),
        *("disk_free_bytes", "disk_size_bytes", "source_readable", "scrape_duration_seconds"),
    }
    assert set(scrape.series("source_readable").values()) == {1}


def test_a_data_folder_that_is_not_there_is_told_by_its_disk(folder):
    exporter = folder.exporter()
    folder.layout.data.rename(folder.layout.data.with_name("away"))

    scrape = Scrape(exporter)

    assert scrape.value("source_readable", source="disk") == 0
    assert scrape.value("disk_free_bytes") is None


def test_counts_are_those_of_the_records_also_after_a_restart(folder):
    for number, outcome in enumerate(("published", "no_new_data", "failed", "published")):
        folder.attempt(f"a{number}", outcome, MORNING + timedelta(days=number))
    before = Scrape(folder.exporter())
    folder.attempt("a4", "failed", MORNING + timedelta(days=4), code="CASCADE_AUTH")

    after = Scrape(folder.exporter())

    assert before.value("runs_total", outcome="published") == 2
    assert before.value("runs_total", outcome="failed") == 1
    assert after.value("runs_total", outcome="failed") == 2
    assert {outcome for outcome, _ in after.series("runs_total")} == ALL_OUTCOMES  # 0 is told
    assert after.series("run_failures_total", portfolio="default") == {
        ("QUALITY_GATE",): 1,
        ("CASCADE_AUTH",): 1,
    }


def test_a_code_is_told_with_when_it_last_ended_an_attempt(folder):
    folder.attempt("a1", "failed", MORNING, 60)
    folder.attempt("a2", "failed", MORNING + timedelta(days=1), 90)
    folder.attempt("a3", "abandoned", MORNING + timedelta(days=2), code="ABANDONED")
    folder.attempt("a4", "canceled", MORNING + timedelta(days=3), code="CANCELED")

    scrape = Scrape(folder.exporter())

    assert scrape.series("last_failure_timestamp_seconds", portfolio="default") == {
        ("QUALITY_GATE",): (MORNING + timedelta(days=1, seconds=90)).timestamp(),
        ("ABANDONED",): (MORNING + timedelta(days=2)).timestamp(),  # it never told when it died
    }


def test_durations_on_an_edge_count_below_it(folder):
    for number, minutes in enumerate((10, 10.01, 12, 15, 15.01)):
        start = MORNING + timedelta(days=number)
        folder.attempt(f"a{number}", "published", start, minutes * 60, phases={"output": 1.5})
    folder.attempt("bad", "failed", MORNING - timedelta(days=1), 9_999)  # did not end well

    scrape = Scrape(folder.exporter())

    counts = {edge: scrape.value("run_duration_seconds_bucket", le=edge) for edge in EDGES}
    assert counts == {"300.0": 0, "600.0": 1, "720.0": 3, "900.0": 4, "+Inf": 5}
    # 600 + 600.6 + 720 + 900 + 900.6
    assert scrape.value("run_duration_seconds_sum") == pytest.approx(3721.2)
    assert scrape.value("phase_duration_seconds_sum", phase="output") == pytest.approx(7.5)
    assert scrape.value("phase_duration_seconds_count", phase="ingestion") == 0


def test_one_status_of_a_kpi_is_1_and_the_others_are_0(folder):
    folder.publish(kpi("par_90", "0.031", "warning"))

    assert Scrape(folder.exporter()).series("kpi_status", kpi="par_90", portfolio="default") == {
        ("ok",): 0,
        ("warning",): 1,
        ("critical",): 0,
        ("unknown",): 0,
    }


def test_a_kpi_without_a_value_is_absent_and_unknown_never_0(folder):
    folder.publish(kpi("par_90", "0"), kpi("rdr_90", None))

    scrape = Scrape(folder.exporter())

    assert scrape.series("kpi_value") == {("ledger", "par_90", "default"): 0}
    assert scrape.value("kpi_status", kpi="rdr_90", status="unknown") == 1
    assert scrape.value("kpi_status", kpi="rdr_90", status="ok") == 0
    assert scrape.value("kpi_status", kpi="par_90", status="unknown") == 0


def test_no_status_makes_up_for_a_value_that_is_missing(folder):
    folder.publish(replace(kpi("rdr_90", None), status="ok"))

    scrape = Scrape(folder.exporter())

    assert scrape.value("kpi_status", kpi="rdr_90", status="unknown") == 1
    assert scrape.value("kpi_status", kpi="rdr_90", status="ok") == 0


def test_a_kpi_that_the_served_run_does_not_know_yet_is_unknown(folder):
    folder.publish(kpi("par_90", "0.01"))

    unknown = Scrape(folder.exporter()).series("kpi_status", status="unknown")

    assert unknown == {
        (known.name, "default"): float(known.name != "par_90") for known in load_catalogue()
    }


def test_the_lines_of_the_kpis_say_which_side_is_worse(folder):
    lines = Scrape(folder.exporter()).series("kpi_threshold")

    assert lines["above", "par_90", "warning"] == 0.03
    assert lines["above", "par_90", "escalation"] == 0.10
    assert lines["below", "collection_rate", "critical"] == 0.010
    assert ("below", "par_90", "warning") not in lines


def test_the_lines_of_the_pipeline_are_in_seconds_and_ratios(tmp_path):
    folder = DataFolder(tmp_path, TAPEWATCH_OPERATIONS__LATENCY_MINUTES__WARNING="12.5")

    lines = Scrape(folder.exporter()).series("pipeline_threshold")

    assert lines["run_duration_seconds", "warning"] == 750
    assert lines["run_duration_seconds", "critical"] == 900
    assert lines["data_freshness_seconds", "target"] == 21_600
    assert lines["last_success_age_seconds", "critical"] == 108_000
    assert ("last_success_age_seconds", "target") not in lines
    assert lines["errors_since_success", "target"] == 0
    assert lines["quarantined_ratio", "critical"] == 0.005


def test_a_run_at_three_in_the_morning_on_yesterdays_tape_is_three_hours_fresh(folder):
    folder.publish(kpi("par_90", "0.01"))
    folder.attempt("a1", "published", MORNING - timedelta(minutes=1), 60)

    scrape = Scrape(folder.exporter())

    assert scrape.value("data_as_of_timestamp_seconds") == DAY_END.timestamp()
    assert scrape.value("data_freshness_seconds") == 3 * 3600
    assert scrape.value("last_success_timestamp_seconds") == MORNING.timestamp()


def test_the_same_tape_a_day_later_is_27_hours_old(folder):
    folder.publish(kpi("par_90", "0.01"))
    folder.attempt("a1", "published")
    folder.attempt("a2", "no_new_data", MORNING + timedelta(days=1, minutes=-1))
    folder.attempt("a3", "failed", MORNING + timedelta(days=2))  # tells nothing of the data

    assert Scrape(folder.exporter()).value("data_freshness_seconds") == 27 * 3600


def test_a_run_that_is_served_before_its_attempt_has_ended_is_not_fresh_by_yesterdays_success(
    folder,
):
    folder.attempt("a1", "published", MORNING - timedelta(days=1))
    folder.attempt("a2", "running", MORNING - timedelta(minutes=5))
    folder.publish(kpi("par_90", "0.01"), sealed_at=MORNING - timedelta(seconds=30))

    assert Scrape(folder.exporter()).value("data_freshness_seconds") == 3 * 3600 - 30  # not -21 h


def test_the_day_ends_at_midnight_of_the_portfolios_own_zone(folder):
    folder.publish(kpi("par_90", "0.01"), portfolio="madrid", time_zone="Europe/Madrid")

    as_of = Scrape(folder.exporter()).value("data_as_of_timestamp_seconds", portfolio="madrid")

    assert as_of == datetime(2025, 12, 26, 23, tzinfo=UTC).timestamp()  # an hour before UTC's


def test_failures_count_from_the_last_success_and_a_stop_is_none(folder):
    outcomes = ("failed", "published", "failed", "canceled", "abandoned", "failed")
    for number, outcome in enumerate(outcomes):
        folder.attempt(f"a{number}", outcome, MORNING + timedelta(hours=number))

    scrape = Scrape(folder.exporter())

    assert scrape.value("errors_since_success") == 3  # failed, abandoned, failed
    assert scrape.value("last_run_outcome", outcome="failed") == 1
    assert sum(scrape.series("last_run_outcome").values()) == 1
    folder.attempt("a6", "no_new_data", MORNING + timedelta(hours=6))
    assert Scrape(folder.exporter()).value("errors_since_success") == 0


def test_an_abandoned_attempt_is_the_last_and_has_no_duration(folder):
    folder.attempt("z", "published", MORNING)
    folder.attempt("a", "abandoned", MORNING + timedelta(hours=1))

    scrape = Scrape(folder.exporter())

    assert scrape.value("last_run_outcome", outcome="abandoned") == 1
    assert scrape.value("last_run_duration_seconds") is None
    assert scrape.value("run_duration_seconds_count") == 1


def test_an_attempt_in_progress_is_told_until_it_ends(folder):
    exporter = folder.exporter()
    folder.attempt("a1", "running", MORNING)
    during = Scrape(exporter)
    folder.attempt("a1", "published", MORNING, 61.5)

    after = Scrape(exporter)

    assert during.value("run_started_timestamp_seconds") == MORNING.timestamp()
    assert during.value("last_run_duration_seconds") is None
    assert sum(during.series("runs_total").values()) == 0
    assert after.value("run_started_timestamp_seconds") is None
    assert after.value("last_run_duration_seconds") == 61.5


def test_the_input_and_its_quality_are_those_of_the_served_run(folder):
    rich(folder)

    scrape = Scrape(folder.exporter())

    assert scrape.value("input_bytes") == 1_000  # 700 + 300
    assert scrape.series("input_rows", portfolio="default") == {("loan",): 40, ("payment",): 90}
    assert scrape.value("quarantined_rows") == 4
    assert scrape.value("quarantined_ratio") == 0.002
    assert scrape.series("check_bad_rows", portfolio="default") == {
        ("float_noise", "warning"): 3,
        ("restated_past", "warning"): 2,
    }
    assert scrape.value("restated_loans") == 2
    assert scrape.value("reconciled_rows") == scrape.value("reconcilable_rows") == 40


def test_a_tape_that_cannot_be_reconciled_or_compared_says_nothing_of_either(folder):
    quality = {**CLEAN, "checks": {"retired_check": 1}, "reconciliation": None}
    folder.publish(kpi("par_90", "0.01"), quality=quality)

    scrape = Scrape(folder.exporter())

    assert scrape.value("reconcilable_rows") is None
    assert scrape.value("restated_loans") is None
    assert scrape.value("check_bad_rows", check="retired_check", level="retired") == 1


def test_two_portfolios_are_told_apart(folder):
    folder.publish(kpi("par_90", "0.01"))
    folder.publish(kpi("par_90", "0.06", "critical"), portfolio="second-book")
    folder.attempt("a1", "published")
    folder.attempt("a2", "failed", portfolio="second-book")

    scrape = Scrape(folder.exporter())

    assert scrape.series("kpi_value", kpi="par_90") == {
        ("ledger", "default"): 0.01,
        ("ledger", "second-book"): 0.06,
    }
    assert scrape.value("errors_since_success", portfolio="default") == 0
    assert scrape.value("errors_since_success", portfolio="second-book") == 1


def test_the_runs_of_another_environment_are_invisible(folder):
    folder.publish(kpi("par_90", "0.06"), environment="staging")
    folder.attempt("a1", "failed", environment="staging")

    scrape = Scrape(folder.exporter())

    assert scrape.value("kpi_value") is None
    assert scrape.series("runs_total") == {}
    assert scrape.value("build_info", environment="production") == 1


def test_a_damaged_manifest_takes_its_portfolio_away_and_no_other(folder):
    run = folder.publish(kpi("par_90", "0.01"))
    folder.publish(kpi("par_90", "0.06"), portfolio="second")
    exporter = folder.exporter()
    sealed = (run.folder / MANIFEST).read_bytes()
    assert Scrape(exporter).value("kpi_value", portfolio="default") == 0.01
    (run.folder / MANIFEST).write_bytes(sealed[:-20])

    damaged, again = Scrape(exporter), Scrape(exporter)
    (run.folder / MANIFEST).write_bytes(sealed)
    mended = Scrape(exporter)

    for scrape in (damaged, again):
        assert scrape.value("source_readable", source="served/default") == 0
        assert scrape.value("source_readable", source="served/second") == 1
        told = {s.labels.get("portfolio") for f in scrape.families for s in f.samples}
        assert told == {None, "second"}
    assert mended.value("kpi_value", portfolio="default") == 0.01
    assert len(folder.told) == 2  # once when it broke, once when it healed
    assert folder.told[0].startswith("served/default cannot be read: HASH_MISMATCH: ")
    assert folder.told[1] == "served/default can be read again"


def test_a_pointer_to_a_run_that_is_gone_is_no_run(folder):
    run = folder.publish(kpi("par_90", "0.01"))
    exporter = folder.exporter()
    Scrape(exporter)
    run.folder.rename(run.folder.with_name("gone"))

    scrape = Scrape(exporter)

    assert scrape.value("source_readable", source="served/default") == 0
    assert scrape.value("kpi_value") is None


@pytest.mark.parametrize("text", ["{", "{}", '{"attempt_id": "a9"}', ""])
def test_with_a_damaged_attempt_no_count_is_told_rather_than_a_smaller_one(folder, text):
    folder.publish(kpi("par_90", "0.01"))
    folder.attempt("a1", "published")
    exporter = folder.exporter()
    Scrape(exporter)
    (folder.layout.attempts / "a9.json").write_text(text)

    scrape = Scrape(exporter)

    assert scrape.value("source_readable", source="attempts") == 0
    assert scrape.series("runs_total") == {}
    assert scrape.value("last_success_timestamp_seconds") is None
    assert scrape.value("data_freshness_seconds") is None  # it needs the attempts
    assert scrape.value("kpi_value") == 0.01
    assert "a9.json" in folder.told[0]


def test_a_time_without_a_zone_is_a_damaged_attempt(folder):
    folder.attempt("a1", "published")
    path = folder.layout.attempts / "a1.json"
    path.write_text(path.read_text().replace("Z", ""))

    assert Scrape(folder.exporter()).value("source_readable", source="attempts") == 0


def test_a_credential_is_told_by_its_end_and_without_a_date_not_at_all(tmp_path):
    scrape = Scrape(DataFolder(tmp_path, **DATED).exporter())

    ends = datetime(2027, 1, 30, tzinfo=UTC).timestamp()  # 90 days after the 1st of November
    assert scrape.series("credential_expiry_timestamp_seconds") == {
        ("CASCADE_SESSION_COOKIE",): ends
    }
    assert scrape.value(
        "pipeline_threshold", metric="credential_remaining_seconds", severity="warning"
    ) == (30 * 86_400)


def test_what_verifying_found_is_told_until_it_finds_nothing(folder):
    exporter = folder.exporter()
    assert Scrape(exporter).series("verification_problems") == {}  # nobody has looked
    keep_whole(verdict_file(folder, "audit"), {"run-a": 2, "run-b": 1, "run-c": 0}, MORNING)
    keep_part(verdict_file(folder, "runs"), {"run-a": 0}, MORNING)

    found = Scrape(exporter)
    keep_whole(verdict_file(folder, "audit"), {"run-a": 0}, DAY_END)
    mended = Scrape(exporter)

    assert found.series("verification_problems") == {("audit",): 3, ("runs",): 0}  # 2 + 1
    assert found.series("verification_timestamp_seconds") == {("audit",): MORNING.timestamp()}
    assert mended.value("verification_problems", kind="audit") == 0
    assert mended.value("verification_timestamp_seconds", kind="audit") == DAY_END.timestamp()


def test_the_verdicts_of_another_environment_are_invisible(folder):
    keep_whole(verification_file(folder.layout, "staging", "runs"), {"run-a": 1}, MORNING)

    assert Scrape(folder.exporter()).series("verification_problems") == {}


def test_a_damaged_verdict_is_unreadable_and_never_sound(folder):
    keep_whole(verdict_file(folder, "audit"), {}, MORNING)
    keep_whole(verdict_file(folder, "runs"), {}, MORNING)
    verdict_file(folder, "runs").write_text('{"problems": {"run-a": -1}}')

    scrape = Scrape(folder.exporter())

    assert scrape.value("source_readable", source="verification") == 0
    assert scrape.series("verification_problems") == {}


def test_a_run_that_was_rewritten_after_the_served_one_saw_it_breaks_the_chain(folder):
    before = folder.publish(kpi("par_90", "0.01"), day=date(2025, 12, 25))
    exporter = folder.exporter()
    first = Scrape(exporter)
    folder.publish(kpi("par_90", "0.02"), before=before)
    sound = Scrape(exporter)
    manifest = before.folder / MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")  # what it says is the same
    broken = Scrape(exporter)
    before.folder.rename(before.folder.with_name("removed"))
    removed = Scrape(exporter)

    told = [scrape.value("chain_broken") for scrape in (first, sound, broken, removed)]
    assert told == [None, 0, 1, None]
    assert broken.value("kpi_value") == 0.02  # it is told all the same


def test_label_values_with_quotes_and_line_ends_come_back_as_they_are(folder):
    strange = 'a "book"\nof C:\\tapes'
    folder.attempt("a1", "failed", portfolio=strange, code='NO "CODE"\n')

    scrape = Scrape(folder.exporter())

    assert scrape.value("run_failures_total", portfolio=strange, code='NO "CODE"\n') == 1
    assert r'portfolio="a \"book\"\nof C:\\tapes"' in scrape.text


def test_each_of_200_scrapes_while_runs_are_published_is_of_one_run(folder):
    names = [known.name for known in load_catalogue()]
    exporter, done = folder.exporter(), Event()

    def keep_publishing():
        number = 0
        while not done.is_set():
            number += 1
            kpis = [kpi(name, str(number)) for name in names]
            folder.attempt(f"a{number}", "running", MORNING + timedelta(days=number))
            folder.publish(*kpis, day=DAY + timedelta(days=number))
            folder.attempt(f"a{number}", "published", MORNING + timedelta(days=number))

    thread = Thread(target=keep_publishing)
    thread.start()
    try:
        scrapes = [Scrape(exporter) for _ in range(200)]
    finally:
        done.set()
        thread.join()

    numbers = []
    for scrape in scrapes:
        assert 0 not in scrape.series("source_readable").values(), folder.told
        values = scrape.series("kpi_value")
        if not values:  # the first run is not there yet
            continue
        assert len(values) == len(names)
        [number] = set(values.values())
        served = scrape.value("data_as_of_timestamp_seconds")
        assert served == (DAY_END + timedelta(days=number)).timestamp()
        assert scrape.value("runs_total", outcome="published") in (number - 1, number)
        numbers.append(number)
    assert numbers == sorted(numbers)  # never back to an earlier run
    assert len(set(numbers)) > 10


def test_the_parts_of_portfolio_health_are_told_in_points_that_add_up(folder):
    folder.publish(kpi("portfolio_health", "6.3"))

    points = Scrape(folder.exporter()).series("health_contribution", portfolio="default")

    assert points == {("par_90",): 4.0, ("collection_rate",): 1.5, ("rdr_90",): 0.8}
