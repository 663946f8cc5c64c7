"""The register says of each credential in use when it ends, and what that is known from."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from settings.credentials import CredentialName
from settings.load import InvalidSettingError, load_settings
from settings.model import secrets, variables
from settings.register import list_credentials
from tests.certificates import make_certificate

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
COOKIE = {"CASCADE_SESSION_COOKIE": "session=x"}
NOT_ROTATED = {"TAPEWATCH_PII_KEY", "CASCADE_EXPORT_URL", "CASCADE_PROXY"} | {
    "TAPEWATCH_INTEGRATIONS__HEARTBEAT_URL"
}
PERSONAL = {name for name in variables() if name.startswith("TAPEWATCH_ONCALL__")}


def utc(year, month, day, hour=0):
    return datetime(year, month, day, hour, tzinfo=UTC)


def the_credential(**env):
    (one,) = list_credentials(load_settings(KEY | env))
    return one


def token(claims):
    text = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{text}.c2lnbmF0dXJl"


def told(**dates):
    return {f"TAPEWATCH_CREDENTIALS__{name.upper()}": json.dumps(v) for name, v in dates.items()}


def test_every_secret_is_a_credential_or_known_to_be_none():
    named = {name for name, path in variables().items() if path in secrets()}

    assert set(get_args(CredentialName)) == (
        named - NOT_ROTATED - PERSONAL | {"TAPEWATCH_EXPORTER__CERT_FILE"}
    )


def test_without_a_credential_there_is_nothing_to_list():
    dates = told(set_on={"CASCADE_SESSION_COOKIE": "2026-11-01"})

    assert list_credentials(load_settings(KEY)) == ()
    assert list_credentials(load_settings(KEY | dates)) == ()


def test_a_credential_that_nobody_dated_has_no_end():
    one = the_credential(**COOKIE)

    assert (one.set_at, one.expires_at, one.expires_by) == (None, None, None)
    assert (one.age_days(utc(2026, 11, 1)), one.days_left(utc(2026, 11, 1))) == (None, None)


def test_a_credential_is_to_be_replaced_so_many_days_after_it_was_set():
    one = the_credential(**COOKIE, **told(set_on={"CASCADE_SESSION_COOKIE": "2026-11-01"}))

    assert one.expires_at == utc(2027, 1, 30)  # 29 days of November, 31, 30: 90
    assert one.expires_by == "rotate_after_days"
    assert one.age_days(utc(2026, 11, 26, 12)) == 25
    assert one.days_left(utc(2027, 1, 1, 12)) == 28  # and a half


@pytest.mark.parametrize(
    ("set_on", "expires_on", "own_end", "end", "by"),
    [
        (None, None, utc(2027, 3, 1, 7), utc(2027, 3, 1, 7), "itself"),
        (None, "2027-02-01", utc(2027, 3, 1), utc(2027, 2, 1), "expires_on"),
        (None, "2027-04-01", utc(2027, 3, 1), utc(2027, 3, 1), "itself"),
        ("2026-11-01", None, utc(2027, 3, 1), utc(2027, 1, 30), "rotate_after_days"),
        ("2026-11-01", "2027-01-29", utc(2027, 3, 1), utc(2027, 1, 29), "expires_on"),
    ],
)
def test_the_first_end_is_the_one_that_counts(set_on, expires_on, own_end, end, by):
    name = "SUPABASE_SERVICE_ROLE_KEY"
    given = {"set_on": set_on, "expires_on": expires_on}
    dates = told(**{what: {name: day} for what, day in given.items() if day})
    key = token({"role": "service_role", "exp": int(own_end.timestamp())})

    one = the_credential(**{name: key}, **dates)

    assert (one.expires_at, one.expires_by) == (end, by)


def test_when_a_token_was_issued_is_shown_and_starts_no_rotation():
    issued = utc(2020, 1, 1).timestamp()

    one = the_credential(SUPABASE_SERVICE_ROLE=token({"iat": issued}))

    assert (one.set_at, one.expires_at) == (utc(2020, 1, 1), None)


@pytest.mark.parametrize(
    "key",
    [
        "sb_secret_abcdef",
        "a.b.c",
        "a.!!!.c",
        "a..c",
        *(token(c) for c in ([1], None, "exp", {"exp": "soon"}, {"exp": True}, {"exp": 1e300})),
        "a." + base64.urlsafe_b64encode(b'{"exp": Infinity}').decode().rstrip("=") + ".c",
        "a." + base64.urlsafe_b64encode(b'{"exp": NaN}').decode().rstrip("=") + ".c",
        "a." + base64.urlsafe_b64encode(b"\xff\xfe{").decode().rstrip("=") + ".c",
        "a." + base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=") + ".c",
    ],
)
def test_a_key_that_tells_no_end_is_no_error(key):
    assert the_credential(SUPABASE_SERVICE_ROLE=key).expires_at is None


def test_a_certificate_tells_its_own_end(tmp_path):
    made = make_certificate(tmp_path, "IP:127.0.0.1", days="20")
    variable = "TAPEWATCH_EXPORTER__CERT_FILE"

    one = the_credential(**{variable: str(made.file)})

    assert one.name == variable
    assert one.expires_by == "itself"
    assert one.expires_at - one.set_at == timedelta(days=20)


def test_of_a_chain_the_certificate_that_ends_first_counts(tmp_path):
    files = []
    for days in ("20", "10", "30"):
        folder = tmp_path / days
        folder.mkdir()
        files.append(make_certificate(folder, "IP:127.0.0.1", days=days).file)
    chain = tmp_path / "chain.pem"
    chain.write_text("".join(file.read_text() for file in files))

    one = the_credential(TAPEWATCH_EXPORTER__CERT_FILE=str(chain))

    assert timedelta(days=9.9) < one.expires_at - datetime.now(UTC) <= timedelta(days=10)


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_certificate_that_cannot_be_read_has_no_end(tmp_path, text):
    file = tmp_path / "cert.pem"
    if text is not None:
        file.write_text(text)

    assert the_credential(TAPEWATCH_EXPORTER__CERT_FILE=str(file)).expires_at is None


@pytest.mark.parametrize(
    ("days", "status"),
    [
        (31, "ok"),
        (30, "ok"),
        (29.99, "warning"),
        (3, "warning"),
        (2.99, "critical"),
        (-1, "critical"),
    ],
)
def test_a_credential_is_beyond_a_line_with_fewer_days_than_it(days, status):
    settings = load_settings(
        KEY | COOKIE | told(expires_on={"CASCADE_SESSION_COOKIE": "2027-01-01"})
    )
    (one,) = list_credentials(settings)
    now = utc(2027, 1, 1) - timedelta(days=days)

    assert one.status(now, settings.operations.credential_days) == status


def test_nothing_of_a_credential_is_in_the_register():
    one = the_credential(CASCADE_SESSION_COOKIE="session=only-for-tests")

    assert "only-for-tests" not in repr(one)


@pytest.mark.parametrize(
    ("dates", "law"),
    [
        ({"CASCADE_COOKIE": "2026-11-01"}, "should be 'CASCADE_SESSION_COOKIE'"),
        ({"CASCADE_SESSION_COOKIE": "a secret"}, "date"),
        ({"CASCADE_SESSION_COOKIE": "9999-12-31"}, "less than 2200-01-01"),
    ],
)
def test_a_wrong_name_or_day_is_refused_by_the_name_of_the_variable(dates, law):
    with pytest.raises(InvalidSettingError) as refused:
        load_settings(KEY | told(set_on=dates))

    assert refused.value.message.startswith("TAPEWATCH_CREDENTIALS__SET_ON: ")
    assert law in refused.value.message
    assert "a secret" not in refused.value.message


def test_the_lines_of_the_days_left_fall():
    with pytest.raises(InvalidSettingError, match="critical must not be better than warning"):
        load_settings(KEY | {"TAPEWATCH_OPERATIONS__CREDENTIAL_DAYS__CRITICAL": "31"})
