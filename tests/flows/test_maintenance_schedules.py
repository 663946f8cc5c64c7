"""When each maintenance flow runs, by Prefect's own reading of prefect.yaml."""

import asyncio
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from tasks.maintenance_steps import KINDS

ZONE = ZoneInfo("America/El_Salvador")
FILE = Path(__file__).parents[2] / "deployments" / "prefect.yaml"


def listed():
    return {
        entry["entrypoint"].partition(":")[2]: entry
        for entry in yaml.safe_load(FILE.read_text())["deployments"]
    }


def dates(flow, count, start=datetime(2026, 1, 1, tzinfo=ZONE)):
    """The next so many moments at which a flow runs, as the server would plan them."""
    from prefect.cli.deploy._schedules import _schedule_config_to_deployment_schedule as built
    from prefect.server.schemas.schedules import CronSchedule

    [config] = listed()[flow]["schedules"]
    made = built({**config, "timezone": str(ZONE)})["schedule"]
    planned = CronSchedule(**made.model_dump())
    found = asyncio.run(planned.get_dates(n=count, start=start))
    return [moment.astimezone(ZONE) for moment in found]


def test_every_kind_of_maintenance_has_a_schedule_of_its_own_at_two_at_night():
    for kind in KINDS:
        entry = listed()[kind]

        assert entry["entrypoint"] == f"flows/maintenance.py:{kind}"
        assert [s["timezone"] for s in entry["schedules"]] == ["{{ $TAPEWATCH_ZONE }}"]
        assert {(d.hour, d.minute) for d in dates(kind, 5)} == {(2, 0)}


def test_weekly_is_every_monday():
    found = dates("weekly", 60)

    assert {d.weekday() for d in found} == {0}
    assert {(b - a).days for a, b in pairwise(found)} == {7}


def test_monthly_is_the_first_monday_of_every_month_and_no_other_day():
    found = dates("monthly", 24)

    assert [(d.year, d.month) for d in found] == [
        (y, m) for y in (2026, 2027) for m in range(1, 13)
    ]
    assert {d.weekday() for d in found} == {0}
    assert max(d.day for d in found) <= 7
    assert found[0].date() == date(2026, 1, 5)


def test_quarterly_is_the_first_day_of_each_quarter():
    assert [d.date() for d in dates("quarterly", 5)] == [
        date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1), date(2026, 10, 1), date(2027, 1, 1)
    ]  # fmt: skip


def test_annual_is_the_first_of_january():
    assert [d.date() for d in dates("annual", 2)] == [date(2026, 1, 1), date(2027, 1, 1)]


def test_maintenance_is_over_an_hour_before_the_daily_run():
    [daily] = dates("daily", 1)
    [weekly] = dates("weekly", 1, datetime(2026, 1, 5, tzinfo=UTC))

    assert (daily.hour, weekly.hour) == (3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_flow_that_a_deployment_names_is_there(kind):
    from flows import maintenance

    assert getattr(maintenance, kind).name == kind
