"""`tapewatch oncall` and `tapewatch incident`: who is called, and what is written down."""

import json
import re

import pytest

from prometheus.exporter import Exporter
from settings.load import load_settings
from tests.prometheus.data_folder import Scrape
from tests.warehouse.mixed_tape import mixed_tape

NAMED = {
    "TAPEWATCH_ONCALL__ROTATION": "Ana, Luis",
    "TAPEWATCH_ONCALL__CONTACTS__CFO__NAME": "Zoraida Qux",
    "TAPEWATCH_ONCALL__CONTACTS__CFO__PHONE": "+503 555 0100",
}
FRIDAY, SUNDAY = "2026-01-02T12:00", "2026-01-04T12:00"


@pytest.fixture
def named(monkeypatch):
    for name, value in NAMED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def failed(full_home, tmp_path, tapewatch):
    """A data folder that serves a run, and whose newest attempt failed."""
    tape = mixed_tape().write(tmp_path / "bad")
    (tape / "loans.csv").write_text("loan_id,term\nL1,3\n")
    assert tapewatch("run", "--input", tape).code == 65
    return full_home


def written(home):
    return sorted((home / "data" / "incidents").glob("*.md"))


def section(text, title):
    return text.split(f"\n## {title}")[1].split("\n## ")[0]


def test_who_has_duty_is_told_with_the_matrix_and_every_contact(home, named, tapewatch):
    out = tapewatch("oncall", "--at", FRIDAY).out

    told = "Ana has duty as primary (Monday to Friday), until Sat 2026-01-03 00:00 UTC\n"
    assert out.startswith(told)
    assert "P1 (Critical)  Complete outage, revenue impact      15 minutes" in out
    assert re.search(r"CFO +Zoraida Qux +\+503 555 0100 +@cfo", out)
    assert re.search(r"CEO +TBD +TBD +@ceo", out)


def test_on_a_weekend_the_secondary_is_told_also_as_json(home, named, tapewatch):
    told = json.loads(tapewatch("oncall", "--at", SUNDAY, "--json").out)

    assert (told["person"], told["part"], told["why"]) == ("Luis", "secondary", "weekend")
    assert told["until"] == "2026-01-05T09:00:00+00:00"
    assert told["levels"]["P2"]["after_that"] == ["engineering_lead", "cfo"]
    assert {one["role"]: one["phone"] for one in told["contacts"]}["cfo"] == "+503 555 0100"


def test_what_is_not_set_is_tbd_and_says_how_to_set_it(home, tapewatch):
    out = tapewatch("oncall").out

    assert out.startswith("TBD has duty as ")
    assert "TAPEWATCH_ONCALL__CONTACTS__<ROLE>__NAME" in out
    assert "TAPEWATCH_ONCALL__ROTATION" in out


def test_a_time_that_is_none_is_refused(home, tapewatch):
    done = tapewatch("oncall", "--at", "Monday")

    assert done.code == 64
    assert "TAPEWATCH-BAD_MOMENT" in done.err


def test_the_hand_over_sheet_tells_the_week(failed, named, tapewatch):
    tapewatch("incident", "new", "--title", "Tape without customers")

    out = tapewatch("oncall", "handover").out

    assert "- default: 1 failed" in section(out, "Runs of the last seven days")
    assert "- default: 1 published" in section(out, "Runs of the last seven days")
    assert "TAPEWATCH-SCHEMA_MISSING: loans.csv" in section(out, "Failures")
    assert "PAR 90" in section(out, "Beyond a line in what is served")
    assert "- P1 RunFailed (default, failed)" in section(out, "Alerts that stand")
    assert "- none" in section(out, "Deliveries that wait")
    assert "P1 Tape without customers" in section(out, "Open incidents")


def test_the_sheet_of_an_earlier_week_has_no_run_of_this_one(failed, named, tapewatch):
    told = json.loads(tapewatch("oncall", "handover", "--at", FRIDAY, "--json").out)

    assert (told["person"], told["attempts"], told["failures"]) == ("Ana", 0, [])


def test_an_incident_is_prefilled_from_the_newest_attempt(failed, named, tapewatch):
    done = tapewatch("incident", "new", "--title", "Tape without customers")

    assert done.code == 0
    [path] = written(failed)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert text.startswith("# P1 Critical: Tape without customers\n\n- Status: open\n")
    assert "the run failed in ingestion: nothing new is published." in text
    called = re.findall(r"^\| (.*?) \| (.*?) \| (@\S+) \|$", section(text, "Whom to call"), re.M)
    assert called == [
        ("at once", "On-Call Engineer", "@sre-oncall"),
        ("nobody has answered within 15 minutes", "VP Engineering", "@vp-eng"),
        ("nobody has answered within 15 minutes", "CEO", "@ceo"),
    ]
    times = re.findall(r"^\| (\d{4}-\S+ \S+) \| (.*) \|$", section(text, "Timeline"), re.M)
    assert [at for at, _ in times] == sorted(at for at, _ in times)
    assert [what for _, what in times][:2] == ["the attempt began", "ingestion began"]
    assert "SCHEMA_MISSING" in times[-2][1]
    assert "| P1 | RunFailed | failed | docs/runbooks/RunFailed.md |" in text
    assert re.search(r"\| PAR 90 \| \d+\.\d\d % \| critical \|", section(text, "KPIs"))
    assert "- Root error: TAPEWATCH-SCHEMA_MISSING" in section(text, "Post-mortem")


def test_the_answer_is_due_when_the_matrix_says(failed, tapewatch):
    tapewatch("incident", "new", "--title", "x1", "--severity", "P3")
    tapewatch("incident", "new", "--title", "x2", "--severity", "P4")

    [medium, low] = [path.read_text() for path in written(failed)]
    began, due = (re.findall(rf"- {name}: (.*) UTC", medium)[0] for name in ("Began", "Answer due"))
    assert int(due[11:13]) == (int(began[11:13]) + 4) % 24
    assert due[13:] == began[13:]
    assert "- Answer due: next business day\n" in low
    assert "| next business day | On-Call Engineer |" in low


def test_no_name_and_no_phone_is_written_down(failed, named, tapewatch):
    tapewatch("incident", "new", "--title", "Tape without customers", "--severity", "P2")

    text = written(failed)[0].read_text()

    assert "| CFO | @cfo |" in text
    assert not [name for name in ("Ana", "Luis", "Zoraida", "0100") if name in text]


def test_no_incident_is_ever_written_over_another(failed, tapewatch):
    for _ in range(3):
        assert tapewatch("incident", "new", "--title", "The same").code == 0

    assert len(written(failed)) == 3


def test_a_title_of_no_letters_is_refused_and_a_strange_one_is_only_a_name(failed, tapewatch):
    refused = tapewatch("incident", "new", "--title", "../ ..")
    done = tapewatch("incident", "new", "--title", "../../etc/passwd\nTwo | lines")

    assert (refused.code, "TAPEWATCH-NO_TITLE" in refused.err) == (64, True)
    assert done.code == 0
    [path] = written(failed)
    assert path.name.endswith("-etc-passwd-two-lines.md")
    assert path.read_text().startswith("# P1 Critical: ../../etc/passwd Two | lines\n")


def test_an_incident_is_open_until_its_file_says_closed(failed, tapewatch):
    tapewatch("incident", "new", "--title", "First")
    tapewatch("incident", "new", "--title", "Second")
    path = written(failed)[0]
    path.write_text(path.read_text().replace("- Status: open", "- Status: closed"))

    listed = json.loads(tapewatch("incident", "list", "--json").out)["incidents"]

    assert [(one["level"], one["is_open"]) for one in listed] == [("P1", True), ("P1", False)]
    assert {one["title"] for one in listed} == {"First", "Second"}
    assert "- none" not in section(tapewatch("oncall", "handover").out, "Open incidents")


def test_a_good_run_can_be_written_down_too(full_home, tapewatch):
    done = json.loads(tapewatch("incident", "new", "--title", "PAR is high", "--json").out)

    [path] = written(full_home)
    assert done["incident"] == str(path)
    assert done["level"] == "P2"  # PAR 90 beyond its critical line, and an old day
    assert "- Root error: none: no attempt failed" in path.read_text()


def test_an_incident_is_of_the_portfolio_that_is_named(failed, tape, tapewatch):
    assert tapewatch("run", "--input", tape, "--portfolio", "second").code == 0

    tapewatch("incident", "new", "--title", "Newest of any")
    tapewatch("incident", "new", "--title", "Of one", "--portfolio", "default")

    told = {path.name[17:]: path.read_text() for path in written(failed)}
    assert "- Book: second in development" in told["newest-of-any.md"]
    assert "- Book: default in development" in told["of-one.md"]


def test_no_contact_is_in_any_file_or_metric(named, failed, tape, tapewatch):
    tapewatch("run", "--input", tape)
    for arguments in (["oncall"], ["oncall", "handover"], ["incident", "new", "--title", "x1"]):
        assert tapewatch(*arguments).code == 0

    metrics = Scrape(Exporter(load_settings(), lambda _line: None)).text
    files = [path for path in failed.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    shown = tapewatch("config", "show").out + tapewatch("explain", "--json").out
    for personal in ("Zoraida", "555 0100", "Luis"):
        assert personal not in metrics + shown
        assert personal.encode() not in kept
