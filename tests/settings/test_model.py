"""What a setting may be, and which settings make another run of the same tape."""

import json
from decimal import Decimal
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from settings.connections import HalfConfiguredError
from settings.kpis import find_kpi
from settings.load import InvalidSettingError, load_settings
from settings.model import canonical, secrets, variables
from settings.value_types import size_bytes

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
ANCHORS = '{"par_90": [[0, 10], [0.2, 0]]}'

ANOTHER = {  # for every variable a value that is allowed and is not its default
    "PIPELINE_ENV": "staging",
    "TAPEWATCH_DATA_DIR": "/srv/tape",
    "TAPEWATCH_PII_KEY": "x" * 16,
    "TAPEWATCH_PORTFOLIO__NAME": "second",
    "TAPEWATCH_PORTFOLIO__TIME_ZONE": "UTC",
    "TAPEWATCH_ENGINE__MEMORY_LIMIT": "512MB",
    "TAPEWATCH_ENGINE__MAX_TEMP_SIZE": "1.5GiB",
    "CASCADE_SESSION_COOKIE": "session=x",
    "CASCADE_EXPORT_URL": "/export.zip",
    "CASCADE_PROXY": "http://127.0.0.1:3128",
    "TAPEWATCH_CASCADE__BASE_URL": "https://other.example",
    "TAPEWATCH_CASCADE__ALLOWED_HOSTS": '["other.example"]',
    "TAPEWATCH_CASCADE__CA_FILE": "/etc/ca.pem",
    "TAPEWATCH_CASCADE__MAX_BYTES": "1GB",
    "SUPABASE_URL": "https://other.example",
    "SUPABASE_DB_URL": "postgresql://other.example/postgres",
    "TAPEWATCH_AUDIT__CA_FILE": "/etc/ca.pem",
    "TAPEWATCH_AUDIT__EXPORT_FOLDER": "/srv/cold",
    "TAPEWATCH_DELIVERY__RUN_SECONDS": "2",
    "TAPEWATCH_EXPORTER__ADDRESS": "::1",
    "TAPEWATCH_PREFECT__ADDRESS": "::1",
    "TAPEWATCH_EXPORTER__CERT_FILE": "/etc/cert.pem",
    "TAPEWATCH_EXPORTER__KEY_FILE": "/etc/key.pem",
    "TAPEWATCH_EXPORTER__ALLOW_UNPROTECTED": "true",
    "TAPEWATCH_ALERTING__MENTIONS_BY": "alertmanager",
    "TAPEWATCH_INTEGRATIONS__SLACK__API_URL": "http://127.0.0.1:9/api",
    "PAGERDUTY_ROUTING_KEY": "k" * 32,
    "TAPEWATCH_CREDENTIALS__SET_ON": '{"SUPABASE_DB_URL": "2026-11-01"}',
    "TAPEWATCH_CREDENTIALS__EXPIRES_ON": '{"SUPABASE_DB_URL": "2026-11-01"}',
    "TAPEWATCH_ONCALL__ROTATION_FROM": "2026-01-05",
    "TAPEWATCH_ONCALL__HOLIDAYS": '["2026-12-25"]',
    "TAPEWATCH_INGESTION__DROP_FOLDER": "/srv/drop",
    "TAPEWATCH_INGESTION__MAX_UNPACKED_SIZE": "1TB",
    "TAPEWATCH_QUALITY__LOAN_TAPE_LISTS_CLOSED_LOANS": "false",
    "TAPEWATCH_BOOK__CLOSED_BELOW_RATIO": "0.02",
    "TAPEWATCH_QUALITY__MAX_BALANCE_RISE_FACTOR": "2.5",
    "TAPEWATCH_QUALITY__APR_MAX": "3",
    "TAPEWATCH_QUALITY__CUSTOMER_ID_PATTERN": "^C",
    "TAPEWATCH_HEALTH__ANCHORS": ANCHORS,
    "TAPEWATCH_HEALTH__WEIGHTS": '{"par_90": 0.4, "rdr_90": 0.3}',
    "TAPEWATCH_HEALTH__OPTIONAL_COMPONENTS": "[]",
    "TAPEWATCH_WINDOWS__RDR_EVENT_DAYS": "456",
    "TAPEWATCH_ANOMALY__POINTS": "90",
    "TAPEWATCH_OPERATIONS__LATENCY_MINUTES__WARNING": "11",
    "TAPEWATCH_OPERATIONS__LATENCY_MINUTES__CRITICAL": "16",
    "TAPEWATCH_OPERATIONS__FRESHNESS_HOURS__TARGET": "5",
    "TAPEWATCH_OPERATIONS__FRESHNESS_HOURS__CRITICAL": "13",
    "TAPEWATCH_OPERATIONS__ERRORS__TARGET": "1",
    "TAPEWATCH_OPERATIONS__ERRORS__CRITICAL": "11",
    "TAPEWATCH_OPERATIONS__LAST_SUCCESS_HOURS__WARNING": "27",
    "TAPEWATCH_OPERATIONS__VERIFICATION_DAYS__TARGET": "6",
    "TAPEWATCH_OPERATIONS__DRILL_DAYS__WARNING": "40",
    "TAPEWATCH_OPERATIONS__DRILL_DAYS__CRITICAL": "67",
    "TAPEWATCH_OPERATIONS__CREDENTIAL_DAYS__TARGET": "40",
    "TAPEWATCH_OPERATIONS__CREDENTIAL_DAYS__WARNING": "31",
    "TAPEWATCH_OPERATIONS__CREDENTIAL_DAYS__CRITICAL": "4",
    "TAPEWATCH_OPERATIONS__QUARANTINED_RATIO__TARGET": "0.0001",
    "TAPEWATCH_OPERATIONS__QUARANTINED_RATIO__WARNING": "0.002",
    "TAPEWATCH_OPERATIONS__QUARANTINED_RATIO__CRITICAL": "0.006",
    "TAPEWATCH_OPERATIONS__LAST_SUCCESS_HOURS__CRITICAL": "31",
}


KINDS = {  # by the beginning or the end of the name
    "SLACK_WEBHOOK_": "T0/B0/another",
    "TAPEWATCH_INTEGRATIONS__SLACK__ALERT_CHANNELS__": "#another",
    "TAPEWATCH_ALERTING__MENTIONS__": "U0ANOTHER",
    "_RATIO": "0.02",
    "__SLACK": "@another",
    "_URL": "https://other.example",
}


def another(variable):
    return ANOTHER.get(variable) or next(
        (
            told
            for part, told in KINDS.items()
            if variable.startswith(part) or variable.endswith(part)
        ),
        "9",
    )


def law_of(variable, value):
    with pytest.raises(InvalidSettingError) as raised:
        load_settings(KEY | {variable: value})
    return raised.value.message.removeprefix(f"{variable}: ")


ONE_CHOICE = {"TAPEWATCH_PORTFOLIO__CURRENCY"}  # another currency cannot be set yet


@pytest.mark.parametrize("variable", sorted(variables().keys() - ONE_CHOICE))
def test_a_value_setting_changes_the_run_and_no_other_does(variable):
    section, *_ = path = variables()[variable]
    changes_values = section in {"book", "windows", "quality", "health"}

    changed = load_settings(KEY | {variable: another(variable)})

    assert changed.model_dump() != load_settings(KEY).model_dump()
    assert (changed.value_settings() != load_settings(KEY).value_settings()) == (
        changes_values or path == ("portfolio", "time_zone")
    )


def test_the_three_environments_compute_the_same_values():
    values = [
        load_settings(KEY | {"PIPELINE_ENV": name}).value_settings()
        for name in ("development", "staging", "production")
    ]

    assert values[0] == values[1] == values[2]


def test_value_settings_are_plain_json():
    values = load_settings(KEY).value_settings()

    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["book"] == {"closed_below_ratio": "0.01", "written_off_after_days": 180}
    assert values["portfolio"] == {"currency": "USD", "time_zone": "America/El_Salvador"}


@pytest.mark.parametrize("spelling", ["0.01", "0.0100", "1e-2", ".01", "00.01"])
def test_another_spelling_of_a_value_is_the_same_run(spelling):
    env = KEY | {"TAPEWATCH_BOOK__CLOSED_BELOW_RATIO": spelling}

    assert load_settings(env).value_settings() == load_settings(KEY).value_settings()


def test_the_order_of_keys_is_not_part_of_the_run():
    assert json.dumps(canonical({"b": {"d": 1, "c": 2}, "a": 3})) == (
        '{"a": 3, "b": {"c": 2, "d": 1}}'
    )


figures = st.decimals(-1_000_000, 1_000_000, places=6)


@given(one=figures, other=figures, zeros=st.integers(0, 4))
def test_two_figures_have_one_spelling_exactly_when_they_are_equal(one, other, zeros):
    padded = one.quantize(Decimal(1).scaleb(-6 - zeros))

    assert canonical(one) == canonical(padded)
    assert (canonical(one) == canonical(other)) == (one == other)
    assert Decimal(str(canonical(one))) == one


@pytest.mark.parametrize("variable", sorted(variables().keys() - ONE_CHOICE))
def test_a_setting_is_known_as_a_secret_exactly_when_its_value_is_one(variable):
    path = variables()[variable]
    value = reduce(getattr, path, load_settings(KEY | {variable: another(variable)}))

    assert (path in secrets()) == isinstance(value, SecretStr)


def test_minus_zero_is_zero():
    assert canonical(Decimal("-0.0")) == "0"


def test_the_key_id_is_the_first_64_bits_of_an_hmac():
    # printf tapewatch-key-id | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkk
    assert load_settings(KEY).pii_key_id() == "c41b026284ee9501"


@pytest.mark.parametrize("key", ["k" * 16, "\u00e9" * 8, "k" * 1000])
def test_a_key_of_16_bytes_is_enough(key):
    assert load_settings({"TAPEWATCH_PII_KEY": key}).pii_key_bytes() == key.encode()


@pytest.mark.parametrize(
    ("key", "law"),
    [
        ("k" * 15, "must be at least 16 bytes long"),
        ("\u00e9" * 7, "must be at least 16 bytes long"),
        ("k" * 16 + "\n", "must be printable text without white space around it"),
        (" " + "k" * 16, "must be printable text without white space around it"),
        ("k" * 16 + "\udcff", "must be printable text without white space around it"),
    ],
)
def test_a_short_key_or_one_with_a_stray_character_is_refused(key, law):
    assert law_of("TAPEWATCH_PII_KEY", key) == law


@pytest.mark.parametrize("size", ["1GB", "512MB", "1.5GiB", "2 TB", "100KB"])
def test_a_size_is_a_number_with_its_unit(size):
    loaded = load_settings(KEY | {"TAPEWATCH_ENGINE__MEMORY_LIMIT": size})

    assert loaded.engine.memory_limit == size


@pytest.mark.parametrize("size", ["1", "GB", "0GB", "0.0MB", "-1GB", "80%", "1gb", "1GB;", "1e3GB"])
def test_any_other_size_is_refused(size):
    assert law_of("TAPEWATCH_ENGINE__MEMORY_LIMIT", size) == (
        "must be a size above zero with its unit, such as 512MB or 1.5GiB"
    )


@pytest.mark.parametrize(
    ("size", "count"),
    [("1KB", 1000), ("1.5 KiB", 1536), ("20GB", 20_000_000_000), ("2TiB", 2 * 1024**4)],
)
def test_a_size_in_bytes(size, count):
    assert size_bytes(size) == count


def test_cascade_is_configured_when_both_the_cookie_and_the_url_are_set():
    both = {"CASCADE_SESSION_COOKIE": "session=x", "CASCADE_EXPORT_URL": "/export.zip"}

    assert load_settings(KEY | both).cascade.is_configured
    assert not load_settings(KEY).cascade.is_configured


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("CASCADE_SESSION_COOKIE", "CASCADE_EXPORT_URL"),
        ("CASCADE_EXPORT_URL", "CASCADE_SESSION_COOKIE"),
    ],
)
def test_half_of_what_cascade_needs_is_an_error_that_names_the_other_half(given, missing):
    cascade = load_settings(KEY | {given: "canary"}).cascade

    with pytest.raises(HalfConfiguredError, match=f"{missing} is not") as raised:
        _ = cascade.is_configured

    assert missing in raised.value.fix
    assert "canary" not in raised.value.line()


@pytest.mark.parametrize("zone", ["San Salvador", "America", "../UTC", "/etc/localtime", "GMT-6"])
def test_a_time_zone_must_be_one_of_the_zone_database(zone):
    assert law_of("TAPEWATCH_PORTFOLIO__TIME_ZONE", zone) == (
        "must be an IANA time zone, such as America/El_Salvador"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TAPEWATCH_PORTFOLIO__CURRENCY", "EUR"),
        ("TAPEWATCH_BOOK__CLOSED_BELOW_RATIO", "1"),  # every loan would be closed
        ("TAPEWATCH_BOOK__CLOSED_BELOW_RATIO", "-0.01"),
        ("TAPEWATCH_BOOK__CLOSED_BELOW_RATIO", "NaN"),
        ("TAPEWATCH_BOOK__WRITTEN_OFF_AFTER_DAYS", "0"),
        ("TAPEWATCH_BOOK__WRITTEN_OFF_AFTER_DAYS", "180.5"),
        ("TAPEWATCH_WINDOWS__RDR_EVENT_DAYS", "90"),  # no older than the work-out itself
        ("TAPEWATCH_WINDOWS__RDR_MIN_EVENTS", "0"),
        ("TAPEWATCH_QUALITY__MAX_REJECTED_ROW_RATIO", "1.01"),
        ("TAPEWATCH_QUALITY__MAX_BALANCE_RISE_FACTOR", "0.9"),
        ("TAPEWATCH_QUALITY__MAX_BALANCE_RISE_FACTOR", "Infinity"),
        ("TAPEWATCH_QUALITY__CUSTOMER_ID_PATTERN", "^CLI["),
        ("TAPEWATCH_HEALTH__WEIGHTS", '{"par_90": 0.6}'),  # 0.6 + 0.3 + 0.2 = 1.1
        ("TAPEWATCH_HEALTH__WEIGHTS", '{"par_90": 0.4, "par_30": 0.1}'),  # no anchors for par_30
        ("TAPEWATCH_HEALTH__WEIGHTS", "0.5"),
        ("TAPEWATCH_HEALTH__OPTIONAL_COMPONENTS", '["par_30"]'),
        ("TAPEWATCH_HEALTH__OPTIONAL_COMPONENTS", '["par_90", "collection_rate", "rdr_90"]'),
        ("TAPEWATCH_HEALTH__ANCHORS", '{"par_90": [[0, 10]]}'),  # one point is no line
        ("TAPEWATCH_HEALTH__ANCHORS", '{"par_90": [[0, 10], [0, 0]]}'),
        ("TAPEWATCH_HEALTH__ANCHORS", '{"par_90": [[0, 10], [1, 0], [2, 1]]}'),  # falls, then rises
        ("TAPEWATCH_HEALTH__ANCHORS", '{"par_90": [[0, 11], [1, 0]]}'),
        ("TAPEWATCH_OPERATIONS__LATENCY_MINUTES__WARNING", "15.01"),  # critical is 15
        ("TAPEWATCH_OPERATIONS__LATENCY_MINUTES__TARGET", "12.01"),  # warning is 12
        ("CASCADE_SESSION_COOKIE", "session=x\r\nHost: other.example"),
        ("CASCADE_SESSION_COOKIE", " session=x"),
        ("CASCADE_EXPORT_URL", "https://app.cascadedebt.com/\u00e9"),
        ("CASCADE_PROXY", "socks5://127.0.0.1:1080"),
        ("TAPEWATCH_CASCADE__BASE_URL", "app.cascadedebt.com"),
        ("TAPEWATCH_CASCADE__BASE_URL", "https://ana@app.cascadedebt.com"),
        ("TAPEWATCH_CASCADE__ALLOWED_HOSTS", '["*"]'),
        ("TAPEWATCH_CASCADE__ALLOWED_HOSTS", '["app.cascadedebt.com."]'),
        ("TAPEWATCH_CASCADE__MAX_TRIES", "11"),
        ("TAPEWATCH_CASCADE__READ_SECONDS", "0"),
        ("TAPEWATCH_EXPORTER__ADDRESS", "metrics.example.com"),
        ("TAPEWATCH_EXPORTER__PORT", "65536"),
        ("TAPEWATCH_EXPORTER__USER", "ana:bel"),  # basic auth parts user and password by a colon
        ("TAPEWATCH_EXPORTER__PASSWORD", " leading"),
        ("TAPEWATCH_PHASES__OUTPUT__TIMEOUT_SECONDS", "0"),
        ("TAPEWATCH_PHASES__OUTPUT__RETRIES", "-1"),
    ],
)
def test_a_value_against_the_law_of_its_setting_is_refused(variable, value):
    assert law_of(variable, value)


@pytest.mark.parametrize("phase", ["ingestion", "transformation", "calculation", "output"])
def test_the_policy_of_a_phase_is_found_by_the_phases_name(phase):
    env = KEY | {f"TAPEWATCH_PHASES__{phase.upper()}__TIMEOUT_SECONDS": "7"}

    assert load_settings(env).phases.policy(phase).timeout_seconds == 7


@pytest.mark.parametrize("component", ["par_90", "collection_rate", "rdr_90"])
def test_health_scores_5_on_the_warning_line_and_3_on_the_critical_line(component):
    anchors = dict(load_settings(KEY).health.anchors[component])
    thresholds = find_kpi(component).thresholds

    assert anchors[thresholds.warning] == 5
    assert anchors[thresholds.critical] == 3
    assert {min(anchors.values()), max(anchors.values())} == {0, 10}
