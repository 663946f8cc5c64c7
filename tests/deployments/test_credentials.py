"""`tapewatch credentials` and the doctor say what ends when, and what nobody has said."""

import json
from datetime import UTC, datetime, timedelta

import pytest

COOKIE = "CASCADE_SESSION_COOKIE"


def day(days):
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


@pytest.fixture
def cookie(home, monkeypatch):
    monkeypatch.setenv(COOKIE, "session=canary")
    monkeypatch.setenv("CASCADE_EXPORT_URL", "/export.zip?token=canary")

    def dated(**dates):
        for what, days in dates.items():
            variable = f"TAPEWATCH_CREDENTIALS__{what.upper()}"
            monkeypatch.setenv(variable, json.dumps({COOKIE: day(days)}))

    return dated


def finding(tapewatch):
    checks = json.loads(tapewatch("doctor", "--json").out)["checks"]
    (found,) = (check for check in checks if check["check"] == "credentials")
    return found


def test_without_a_credential_the_register_is_empty(home, tapewatch):
    assert tapewatch("credentials").out == "no credential is in use\n"
    assert json.loads(tapewatch("credentials", "--json").out) == {"credentials": []}


def test_the_register_tells_everything_but_the_value(cookie, tapewatch):
    cookie(set_on=-80)

    out, document = tapewatch("credentials").out, tapewatch("credentials", "--json").out

    assert "canary" not in out + document
    (one,) = json.loads(document)["credentials"]
    assert one == {
        "name": COOKIE,
        "set_at": f"{day(-80)}T00:00:00.000Z",
        "age_days": 80,
        "expires_at": f"{day(10)}T00:00:00.000Z",  # 90 days after it was set
        "expires_by": "rotate_after_days",
        "days_left": 9,  # and what is left of today
        "status": "warning",
    }
    row = ["80 days", day(10), "rotate_after_days", "9 days"]
    assert [cell for cell in row if cell not in out] == []


def test_a_credential_that_nobody_dated_is_unknown_and_the_doctor_says_how_to_tell(
    cookie, tapewatch
):
    (one,) = json.loads(tapewatch("credentials", "--json").out)["credentials"]
    found = finding(tapewatch)

    assert (one["age_days"], one["expires_at"], one["status"]) == (None, None, "unknown")
    assert tapewatch("credentials").out.splitlines()[1].split() == [COOKIE, *["unknown"] * 5]
    assert found["verdict"] == "warning"
    assert COOKIE in found["found"]
    assert "TAPEWATCH_CREDENTIALS__SET_ON" in found["fix"]


@pytest.mark.parametrize(
    ("days", "verdict", "told"),
    [
        (32, "ok", "1 in use, none ends soon"),
        (30, "warning", f"{COOKIE} has 29 days left"),
        (0, "warning", f"{COOKIE} has ended"),
    ],
)
def test_the_doctor_warns_from_the_line_on(cookie, tapewatch, days, verdict, told):
    cookie(expires_on=days)

    found = finding(tapewatch)

    assert (found["verdict"], found["found"]) == (verdict, told)
