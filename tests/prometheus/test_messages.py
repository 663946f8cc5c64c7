"""What a person reads in Slack and on a page, rendered by Alertmanager's own templates."""

import json

import pytest

from tests.prometheus.binaries import run
from tests.prometheus.shipped import TEMPLATES

DESCRIPTION = "PAR 90 of portfolio p is 6.2%, above the critical line of 5% (basis: ledger)."
URL = "https://git.example.com/docs/runbooks/KpiBeyondCritical.md"


@pytest.fixture
def rendered(tmp_path):
    def render(name, data):
        file = tmp_path / "data.json"
        file.write_text(json.dumps(data))
        done = run(
            "amtool", "template", "render",
            "--template.glob", TEMPLATES / "*.tmpl",
            "--template.text", f'{{{{ template "tapewatch.{name}" . }}}}',
            "--template.data", file,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return render


def notification(*, status="firing", level="P2", severity="critical", url=URL, others=()):
    """What Alertmanager hands to a template: one alert of PAR 90, and perhaps others."""
    labels = {"alertname": "KpiBeyondCritical", "severity": severity, "level": level}
    notes = {
        "summary": "PAR 90 of p is above its critical line",
        "description": DESCRIPTION,
        "runbook_url": url,
    }
    first = {"status": status, "labels": labels, "annotations": notes}
    return {
        "status": status,
        "alerts": [first, *others],
        "commonLabels": labels,
        "commonAnnotations": {} if others else notes,
    }


def test_the_title_says_how_bad_and_what(rendered):
    title = rendered("title", notification())

    assert title == "P2 critical: PAR 90 of p is above its critical line"


def test_the_title_of_a_recovery_says_so_first(rendered):
    title = rendered("title", notification(status="resolved"))

    assert title == "Resolved: PAR 90 of p is above its critical line"


def test_the_title_of_several_different_alerts_counts_them(rendered):
    other = {"status": "firing", "labels": {}, "annotations": {"description": "Another."}}

    assert rendered("title", notification(others=[other])) == (
        "P2 critical: KpiBeyondCritical, 2 times"
    )


def test_the_text_is_the_value_beside_its_line_and_the_runbook(rendered):
    assert rendered("text", notification()) == f"{DESCRIPTION}\n<{URL}|Runbook>"


def test_a_runbook_that_is_no_address_is_named_and_not_linked(rendered):
    text = rendered("text", notification(url="docs/runbooks/KpiBeyondCritical.md"))

    assert text.endswith("Runbook: docs/runbooks/KpiBeyondCritical.md")


def test_a_recovery_has_no_text(rendered):
    assert rendered("text", notification(status="resolved")) == ""


@pytest.mark.parametrize(
    ("status", "severity", "color"),
    [
        ("firing", "critical", "danger"),
        ("firing", "escalation", "danger"),
        ("firing", "warning", "warning"),
        ("resolved", "critical", "good"),
    ],
)
def test_the_color_says_how_bad(rendered, status, severity, color):
    assert rendered("color", notification(status=status, severity=severity)) == color


@pytest.mark.parametrize(("level", "severity"), [("P1", "critical"), ("P2", "error")])
def test_a_page_has_the_severity_of_its_level(rendered, level, severity):
    assert rendered("pagerduty_severity", notification(level=level)) == severity
