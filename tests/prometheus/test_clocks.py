"""From a sealed run to a page: no more than a minute, by the intervals that are configured."""

import re

from tests.prometheus.shipped import ALERTMANAGER, CONFIG, alerts, read, routes

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text):
    parts = re.findall(r"(\d+)([smh])", text)
    assert "".join(number + unit for number, unit in parts) == text
    return sum(int(number) * UNITS[unit] for number, unit in parts)


def test_a_kpi_or_a_failed_run_is_on_the_pager_within_a_minute():
    clocks = read(CONFIG)["global"]
    route = read(ALERTMANAGER)["route"]
    prompt = [
        rule
        for rule in alerts()
        if rule["alert"] in ("KpiBeyondWarning", "KpiBeyondCritical", "KpiBeyondEscalation")
        or rule["alert"] == "RunFailed"
    ]

    longest = (
        seconds(clocks["scrape_interval"])
        + seconds(clocks["scrape_timeout"])
        + seconds(clocks["evaluation_interval"])
        + max(seconds(rule["for"]) for rule in prompt)
        + max(seconds(r["group_wait"]) for r in routes(route) if "group_wait" in r)
    )

    assert len(prompt) == 4
    assert longest == 35  # 10 + 5 + 10 + 0 + 10; the rest of the minute is for the network


def test_the_exporter_and_alertmanager_are_looked_for_on_this_machine_alone():
    config = read(CONFIG)
    [job] = [job for job in config["scrape_configs"] if "static_configs" in job]
    [manager] = config["alerting"]["alertmanagers"]

    assert job["job_name"] == "tapewatch"
    assert job["static_configs"] == [{"targets": ["127.0.0.1:9464"]}]
    assert manager["static_configs"] == [{"targets": ["127.0.0.1:9093"]}]


def test_a_label_that_only_the_rules_read_is_sent_to_nobody():
    config = read(CONFIG)
    dropped = [r["regex"] for r in config["alerting"]["alert_relabel_configs"]]

    assert dropped == list(config["global"]["external_labels"])


def test_nothing_waits_for_the_next_group_longer_than_five_minutes():
    for route in routes(read(ALERTMANAGER)["route"]):
        assert seconds(route.get("group_interval", "0s")) <= 300
