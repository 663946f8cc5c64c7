"""Who has duty at a moment, and that no contact is ever shown where it was not asked for."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from settings.errors import ConfigError
from settings.load import MASK, describe_settings, load_settings
from settings.oncall import CONTACT_ROLES, duty_at

BASE = {"TAPEWATCH_PII_KEY": "k" * 16, "PIPELINE_ENV": "staging"}
ROTATION = {"TAPEWATCH_ONCALL__ROTATION": "Ana, Luis,Eva"}
CONTACT = "TAPEWATCH_ONCALL__CONTACTS__CFO__"


def oncall(**variables):
    return load_settings({**BASE, **ROTATION, **variables}).oncall


def at(text):
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("moment", "person", "part", "until"),
    [
        ("2025-12-29T09:00", "Ana", "primary", "2026-01-03T00:00"),  # the first hand-over
        ("2026-01-02T23:59", "Ana", "primary", "2026-01-03T00:00"),  # Friday
        ("2026-01-03T00:00", "Luis", "secondary", "2026-01-05T09:00"),  # Saturday
        ("2026-01-05T08:59", "Luis", "secondary", "2026-01-05T09:00"),  # Monday, just before
        ("2026-01-05T09:00", "Luis", "primary", "2026-01-10T00:00"),  # secondary becomes primary
        ("2026-01-12T09:00", "Eva", "primary", "2026-01-17T00:00"),
        ("2026-01-17T12:00", "Ana", "secondary", "2026-01-19T09:00"),  # after the last, the first
        ("2026-01-19T09:00", "Ana", "primary", "2026-01-24T00:00"),  # three weeks on
        ("2025-12-22T09:00", "Eva", "primary", "2025-12-27T00:00"),  # before the rotation began
    ],
)
def test_the_primary_has_duty_on_working_days_and_the_secondary_on_weekends(
    moment, person, part, until
):
    duty = duty_at(oncall(), at(moment))

    assert (duty.person, duty.part, duty.until) == (person, part, at(until))


def test_the_secondary_has_duty_on_a_holiday_and_until_it_is_over():
    settings = oncall(TAPEWATCH_ONCALL__HOLIDAYS='["2026-01-01", "2026-01-02"]')

    eve = duty_at(settings, at("2025-12-31T23:00"))
    new_year = duty_at(settings, at("2026-01-01T00:00"))

    assert (eve.person, eve.until) == ("Ana", at("2026-01-01T00:00"))
    assert (new_year.person, new_year.why) == ("Luis", "holiday")
    assert new_year.until == at("2026-01-05T09:00")  # Friday is one too, then comes the weekend


def test_duty_does_not_depend_on_the_zone_in_which_the_moment_is_told():
    here = at("2026-01-03T00:30")
    there = here.astimezone(timezone(timedelta(hours=-6)))  # still Friday in El Salvador

    assert duty_at(oncall(), there) == duty_at(oncall(), here)


def test_who_is_alone_in_the_rotation_is_both():
    duty = duty_at(oncall(TAPEWATCH_ONCALL__ROTATION="Ana"), at("2026-01-03T12:00"))

    assert (duty.person, duty.primary, duty.secondary) == ("Ana", "Ana", "Ana")


def test_without_a_rotation_the_on_call_engineer_has_duty_and_is_tbd_until_set():
    named = {"TAPEWATCH_ONCALL__CONTACTS__ON_CALL_ENGINEER__NAME": "Ana"}

    assert duty_at(load_settings(BASE).oncall, datetime.now(UTC)).person == "TBD"
    assert duty_at(load_settings({**BASE, **named}).oncall, datetime.now(UTC)).person == "Ana"


def test_every_contact_of_the_runbook_has_its_handle_and_is_tbd_until_set():
    settings = load_settings(BASE).oncall

    told = [settings.contact(role) for role in CONTACT_ROLES]

    assert [(c.title, c.slack) for c in told] == [
        ("On-Call Engineer", "@sre-oncall"),
        ("Engineering Lead", "@eng-lead"),
        ("VP Engineering", "@vp-eng"),
        ("CFO", "@cfo"),
        ("CEO", "@ceo"),
        ("General Counsel", "@general-counsel"),
    ]
    assert {(c.name, c.phone) for c in told} == {("TBD", "TBD")}


def test_no_contact_is_shown_by_the_settings():
    set_ = {f"{CONTACT}NAME": "Zoraida Qux", f"{CONTACT}PHONE": "+503 555 0100", **ROTATION}
    settings = load_settings({**BASE, **set_})

    shown = {row.variable: row.value for row in describe_settings({**BASE, **set_})}
    told = f"{settings!r} {settings.model_dump()} {shown}"

    assert shown[f"{CONTACT}NAME"] == shown[f"{CONTACT}PHONE"] == MASK
    assert shown["TAPEWATCH_ONCALL__ROTATION"] == MASK
    assert not [name for name in ("Zoraida", "0100", "Luis") if name in told]
    assert "oncall" not in settings.value_settings()
    assert settings.oncall.contact("cfo").name == "Zoraida Qux"


@pytest.mark.parametrize(
    ("variable", "value", "law"),
    [
        ("TAPEWATCH_ONCALL__ROTATION", "Ana,,Luis", "different names"),
        ("TAPEWATCH_ONCALL__ROTATION", "Ana, Ana", "different names"),
        ("TAPEWATCH_ONCALL__ROTATION_FROM", "2025-12-30", "must be a Monday"),
        (f"{CONTACT}NAME", "Zoraida\nQux", "one line"),
        (f"{CONTACT}SLACK", "cfo", "pattern"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable_and_not_repeated(variable, value, law):
    with pytest.raises(ConfigError, match=law) as caught:
        load_settings({**BASE, variable: value})

    assert variable in caught.value.message
    assert "Zoraida" not in caught.value.message
    assert date.fromisoformat("2025-12-29").weekday() == 0  # the default is one
