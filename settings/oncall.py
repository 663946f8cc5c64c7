"""Who is called: the contacts by role, the rotation of on-call, and who has duty at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, cast, get_args

from pydantic import AfterValidator, SecretStr, StringConstraints

from settings.credentials import Day
from settings.value_types import Section

ContactRole = Literal[
    "on_call_engineer", "engineering_lead", "vp_engineering", "cfo", "ceo", "general_counsel"
]
Part = Literal["primary", "secondary"]
Why = Literal["Monday to Friday", "weekend", "holiday"]
CONTACT_ROLES: tuple[ContactRole, ...] = get_args(ContactRole)
CONTACT_TITLES: Mapping[ContactRole, str] = {
    "on_call_engineer": "On-Call Engineer",
    "engineering_lead": "Engineering Lead",
    "vp_engineering": "VP Engineering",
    "cfo": "CFO",
    "ceo": "CEO",
    "general_counsel": "General Counsel",
}
TBD = "TBD"  # what the runbook says of a contact that nobody has set
HANDOVER = time(9, tzinfo=UTC)  # on Mondays
_WEEK = timedelta(days=7)
_SATURDAY = 5


def _check_monday(day: date) -> date:
    if day.weekday() != 0:
        raise ValueError("must be a Monday, such as 2025-12-29")
    return day


def _check_person(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.isprintable() or text != text.strip() or len(text) > 200:
        raise ValueError("must be printable text of one line without white space around it")
    return secret


def _check_people(secret: SecretStr) -> SecretStr:
    names = [name.strip() for name in _check_person(secret).get_secret_value().split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError("must be different names with commas between them, such as Ana, Luis")
    return secret


# Personal data is kept like a secret: no log, no error and no `config show` repeats it.
Personal = Annotated[SecretStr, AfterValidator(_check_person)]
People = Annotated[SecretStr, AfterValidator(_check_people)]
Monday = Annotated[Day, AfterValidator(_check_monday)]
Handle = Annotated[str, StringConstraints(pattern=r"^@[A-Za-z0-9._-]{1,80}$")]


class ContactSettings(Section):
    """One line of the contact list."""

    name: Personal | None = None
    phone: Personal | None = None
    slack: Handle


class ContactsSettings(Section):
    """The contact list of the runbook, one line a role."""

    on_call_engineer: ContactSettings
    engineering_lead: ContactSettings
    vp_engineering: ContactSettings
    cfo: ContactSettings
    ceo: ContactSettings
    general_counsel: ContactSettings  # of the rule "compliance violation" alone


class OnCallSettings(Section):
    """Whom to call, and the rotation of one week each; none of it changes a value."""

    contacts: ContactsSettings
    rotation: People | None = None  # names with commas between them, in their order
    rotation_from: Monday  # from 09:00 UTC of that day the first of them is primary
    holidays: tuple[Day, ...]  # the secondary has duty, as on weekends

    def contact(self, role: ContactRole) -> "Contact":
        """Return the contact of a role; what nobody has set is TBD."""
        set_ = cast("ContactSettings", getattr(self.contacts, role))
        return Contact(role, CONTACT_TITLES[role], _told(set_.name), _told(set_.phone), set_.slack)

    def people(self) -> tuple[str, ...]:
        """Return the names of the rotation in their order; none are set without one."""
        if self.rotation is None:
            return ()
        return tuple(name.strip() for name in self.rotation.get_secret_value().split(","))


@dataclass(frozen=True)
class Contact:
    """Whom to call for a role."""

    role: ContactRole
    title: str
    name: str
    phone: str
    slack: str


@dataclass(frozen=True)
class Duty:
    """Who has duty at a moment, and until when; a name is TBD where no rotation is set."""

    at: datetime
    person: str
    part: Part
    why: Why
    until: datetime
    primary: str
    secondary: str
    week_from: datetime
    week_until: datetime


def duty_at(oncall: OnCallSettings, at: datetime) -> Duty:
    """Return who has duty: the week's primary, on weekends and holidays its secondary.

    A week goes from Monday 09:00 UTC to the next; within it a day is one in UTC. The secondary is
    the next in the rotation, who becomes primary with the hand-over.
    """
    at = at.astimezone(UTC)
    week_from = _week_of(at)
    primary, secondary = _pair(oncall, week_from)
    why, until = _why(oncall, at), at
    while until < week_from + _WEEK and _part(_why(oncall, until)) == _part(why):
        until = datetime.combine(until.date() + timedelta(days=1), time.min, UTC)
    return Duty(
        at=at,
        person=primary if _part(why) == "primary" else secondary,
        part=_part(why),
        why=why,
        until=min(until, week_from + _WEEK),
        primary=primary,
        secondary=secondary,
        week_from=week_from,
        week_until=week_from + _WEEK,
    )


def _week_of(at: datetime) -> datetime:
    monday = datetime.combine(at.date() - timedelta(days=at.weekday()), HANDOVER)
    return monday if monday <= at else monday - _WEEK


def _pair(oncall: OnCallSettings, week_from: datetime) -> tuple[str, str]:
    people = oncall.people()
    if not people:
        name = oncall.contact("on_call_engineer").name
        return name, name
    weeks = (week_from.date() - oncall.rotation_from).days // _WEEK.days
    return people[weeks % len(people)], people[(weeks + 1) % len(people)]


def _part(why: Why) -> Part:
    return "primary" if why == "Monday to Friday" else "secondary"


def _why(oncall: OnCallSettings, at: datetime) -> Why:
    if at.date() in oncall.holidays:
        return "holiday"
    is_weekend = at.weekday() >= _SATURDAY or (at.weekday() == 0 and at.timetz() < HANDOVER)
    return "weekend" if is_weekend else "Monday to Friday"


def _told(secret: SecretStr | None) -> str:
    return TBD if secret is None else secret.get_secret_value()
