"""Slack's channels are receivers like any other: how far behind each is, what it refused."""

from datetime import timedelta

import pytest

from prometheus.exporter import Exporter
from settings.alerting import ROUTES
from tests.prometheus.shipped import alerts
from tests.slack_server import Answer, serve_slack
from tests.warehouse.channel_desk import ChannelDesk, said
from warehouse.attempt_messages import COMPLIANCE_CODES
from warehouse.message_box import channel_name

RISK = channel_name("risk_alerts")


@pytest.fixture
def desk(tmp_path):
    with serve_slack() as slack:
        desk = ChannelDesk(tmp_path, slack)
        desk.slack = slack
        desk.send()
        yield desk


def series(desk, name):
    """Return a metric's value by receiver."""
    exporter = Exporter(desk.settings, lambda _line: None, [RISK])
    return {
        sample.labels["receiver"]: sample.value
        for family in exporter.collect()
        for sample in family.samples
        if sample.name == f"tapewatch_{name}"
    }


def test_a_channel_that_takes_nothing_is_behind_since_its_oldest_message(desk):
    desk.seal(said("old"), ago=timedelta(hours=2))
    desk.seal(said("new"))
    desk.slack.always = Answer(503)
    desk.send()

    assert series(desk, "deliveries_pending")[RISK] == 2
    oldest = series(desk, "delivery_oldest_timestamp_seconds")[RISK]
    assert oldest == desk.box("risk_alerts").backlog().oldest.timestamp()


def test_what_slack_refused_for_good_is_counted_for_the_alert(desk):
    desk.seal(said("lost"))
    desk.slack.answers.append(Answer(404, "no_service"))
    desk.send()

    assert series(desk, "deliveries_refused")[RISK] == 1
    assert series(desk, "deliveries_pending")[RISK] == 0


def test_every_channel_that_was_told_anything_is_counted(desk):
    assert set(series(desk, "deliveries_pending")) == {channel_name(route) for route in ROUTES}


def test_the_codes_that_are_told_to_compliance_are_those_of_the_alert():
    [rule] = [alert for alert in alerts() if alert["alert"] == "ComplianceViolation"]
    codes = rule["expr"].partition('code=~"')[2].partition('"')[0]
    assert set(codes.split("|")) == COMPLIANCE_CODES
