"""Where a setting comes from, which place wins, and what a person reads when one is wrong."""

import os
import shutil
import subprocess
import sys
import traceback
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

import settings.load
from settings.alerting import ROUTES
from settings.errors import ConfigError, TapewatchError
from settings.load import (
    InvalidSettingError,
    MissingPiiKeyError,
    UnknownEnvironmentError,
    UnknownVariableError,
    describe_settings,
    load_settings,
)
from settings.model import variables

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
DEVELOPMENT = {"PIPELINE_ENV": "development"}
CANARY = "canary-5d1f\u2206"


def sources(env):
    return {row.name: row.source for row in describe_settings(env)}


def test_the_defaults_are_the_figures_of_the_runbook():
    loaded = load_settings(KEY)

    assert loaded.environment == "production"
    assert loaded.portfolio.time_zone == "America/El_Salvador"
    assert loaded.book.closed_below_ratio == Decimal("0.01")
    assert loaded.book.written_off_after_days == 180
    assert loaded.operations.latency_minutes.warning == 12
    assert loaded.operations.freshness_hours.critical == 12
    assert loaded.health.weights == {
        "par_90": Decimal("0.5"),
        "collection_rate": Decimal("0.3"),
        "rdr_90": Decimal("0.2"),
    }


@pytest.mark.parametrize(
    ("env", "days", "source"),
    [
        ({}, 90, "default"),
        ({"PIPELINE_ENV": "staging"}, 30, "environments/staging.toml"),
        (
            {"PIPELINE_ENV": "staging", "TAPEWATCH_RETENTION__RAW_DAYS": "7"},
            7,
            "env TAPEWATCH_RETENTION__RAW_DAYS",
        ),
    ],
)
def test_a_variable_outranks_the_environment_file_which_outranks_the_defaults(env, days, source):
    assert load_settings(KEY | env).retention.raw_days == days
    assert sources(KEY | env)["retention.raw_days"] == source


@pytest.mark.parametrize("name", ["development", "staging", "production"])
def test_each_environment_loads_with_its_file(name):
    assert load_settings(KEY | {"PIPELINE_ENV": name}).environment == name


@pytest.mark.parametrize("name", ["prod", "Production", "../production", "production "])
def test_an_unknown_environment_names_the_choices_and_not_the_value(name):
    with pytest.raises(UnknownEnvironmentError, match="development, staging, production") as raised:
        load_settings(KEY | {"PIPELINE_ENV": name})

    assert "PIPELINE_ENV" in raised.value.message
    assert repr(name) not in raised.value.line()


def test_an_empty_variable_is_not_set():
    env = KEY | {"PIPELINE_ENV": "", "TAPEWATCH_ENGINE__THREADS": "", "TAPEWATCH_DATA_DIR": ""}

    assert load_settings(env) == load_settings(KEY)


def test_the_variables_of_this_process_are_read_when_none_are_given(monkeypatch):
    monkeypatch.setenv("TAPEWATCH_PII_KEY", "k" * 16)
    monkeypatch.setenv("TAPEWATCH_ENGINE__THREADS", "3")

    assert load_settings().engine.threads == 3


def test_given_variables_replace_those_of_the_process(monkeypatch):
    monkeypatch.setenv("TAPEWATCH_ENGINE__THREADS", "3")

    assert load_settings(KEY).engine.threads is None


def test_a_dotenv_file_in_the_current_folder_is_not_read(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("TAPEWATCH_ENGINE__THREADS=3\n")
    monkeypatch.chdir(tmp_path)

    assert load_settings(KEY).engine.threads is None


def test_outputs_go_below_the_current_folder_unless_they_are_moved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    here = load_settings(KEY).paths
    moved = load_settings(KEY | {"TAPEWATCH_DATA_DIR": "/srv/tape"}).paths

    assert (here.data_dir, here.logs_dir) == (tmp_path / "data", tmp_path / "logs")
    assert (moved.data_dir, moved.logs_dir) == (Path("/srv/tape/data"), Path("/srv/tape/logs"))


def test_staging_has_data_of_its_own_beside_production_and_takes_the_same_exports(tmp_path):
    here = KEY | {"TAPEWATCH_DATA_DIR": str(tmp_path)}
    production, staging = (
        load_settings(here | {"PIPELINE_ENV": name}) for name in ("production", "staging")
    )

    assert staging.paths.data_dir == tmp_path / "data-staging"
    assert staging.paths.prefect_home != production.paths.prefect_home
    assert staging.paths.logs_dir == production.paths.logs_dir
    assert staging.drop_folder == production.drop_folder


def test_staging_has_channels_and_ports_that_are_not_those_of_production():
    production, staging = (
        load_settings(KEY | {"PIPELINE_ENV": name}) for name in ("production", "staging")
    )

    for route in ROUTES:
        channel = production.integrations.slack.channel(route)
        assert staging.integrations.slack.channel(route) == f"{channel}-staging"
    assert staging.prefect.port != production.prefect.port
    assert staging.exporter.port != production.exporter.port


@pytest.mark.parametrize("given", ["out", "./out"])
def test_a_relative_data_folder_is_fixed_when_it_is_loaded(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    loaded = load_settings(KEY | {"TAPEWATCH_DATA_DIR": given})
    monkeypatch.chdir("/")

    assert loaded.paths.data_dir == tmp_path / "out" / "data"


def test_a_tilde_in_the_data_folder_is_the_users_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ana")

    assert load_settings(KEY | {"TAPEWATCH_DATA_DIR": "~/tape"}).root_dir == Path("/home/ana/tape")


def test_the_home_of_an_unknown_user_is_refused():
    with pytest.raises(InvalidSettingError, match="TAPEWATCH_DATA_DIR: must not name the home"):
        load_settings(KEY | {"TAPEWATCH_DATA_DIR": "~no-such-user/tape"})


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("TAPEWATCH_BOK__CLOSED_BELOW_RATIO", "TAPEWATCH_BOOK__CLOSED_BELOW_RATIO"),
        ("TAPEWATCH_ENGINE_MEMORY_LIMIT", "TAPEWATCH_ENGINE__MEMORY_LIMIT"),
        ("tapewatch_engine__threads", "TAPEWATCH_ENGINE__THREADS"),
        ("TAPEWATCH_PIPELINE_ENV", "PIPELINE_ENV"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_one_that_was_meant(variable, meant):
    with pytest.raises(UnknownVariableError) as raised:
        load_settings(KEY | {variable: CANARY})

    assert f"{variable} (did you mean {meant}?)" in raised.value.message
    assert CANARY not in raised.value.line()


def test_a_whole_section_is_no_variable():
    with pytest.raises(UnknownVariableError, match="TAPEWATCH_BOOK"):
        load_settings(KEY | {"TAPEWATCH_BOOK": '{"written_off_after_days": 1}'})


@pytest.mark.parametrize("variable", ["TAPEWATCH_TEST", "TAPEWATCH_CRASH_AT", "TAPE", "SLACK_X"])
def test_the_switches_of_the_trials_and_the_variables_of_others_are_let_pass(variable):
    assert load_settings(KEY | {variable: "1"}) == load_settings(KEY)


@pytest.mark.parametrize("variable", sorted(variables()))
def test_no_error_repeats_the_value_of_any_variable(variable, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        load_settings(KEY | {variable: CANARY})
    except TapewatchError as error:
        text = "".join(traceback.format_exception(error)) + error.line() + repr(error.evidence)
        assert isinstance(error, ConfigError)
        assert variable in error.message
        assert CANARY not in text
        assert ascii(CANARY)[1:-1] not in text


def test_every_wrong_value_is_named_at_once():
    env = KEY | {"TAPEWATCH_ENGINE__THREADS": "0", "TAPEWATCH_BOOK__CLOSED_BELOW_RATIO": "2"}

    with pytest.raises(InvalidSettingError) as raised:
        load_settings(env)

    assert "TAPEWATCH_ENGINE__THREADS: " in raised.value.message
    assert "TAPEWATCH_BOOK__CLOSED_BELOW_RATIO: " in raised.value.message


def test_two_variables_that_contradict_each_other_are_both_named():
    env = KEY | {
        "TAPEWATCH_WINDOWS__RDR_EVENT_DAYS": "90",
        "TAPEWATCH_WINDOWS__RDR_WORKOUT_DAYS": "90",
    }

    with pytest.raises(InvalidSettingError) as raised:
        load_settings(env)

    assert raised.value.message == (
        "TAPEWATCH_WINDOWS__RDR_EVENT_DAYS and TAPEWATCH_WINDOWS__RDR_WORKOUT_DAYS: "
        "rdr_event_days must be more than rdr_workout_days"
    )


def test_a_list_that_is_not_json_names_its_variable():
    with pytest.raises(InvalidSettingError, match="TAPEWATCH_HEALTH__WEIGHTS must be JSON"):
        load_settings(KEY | {"TAPEWATCH_HEALTH__WEIGHTS": "par_90=1"})


def test_the_callers_portfolio_outranks_its_variable():
    env = KEY | {"TAPEWATCH_PORTFOLIO__NAME": "one"}

    rows = {row.name: row for row in describe_settings(env, portfolio="two")}

    assert load_settings(env, portfolio="two").portfolio.name == "two"
    assert (rows["portfolio.name"].value, rows["portfolio.name"].source) == ("two", "portfolio")


@pytest.mark.parametrize("name", ["", "Two", "a b", "a/b", "a" * 33, "two\n"])
def test_a_portfolio_name_must_be_fit_for_a_file_name(name):
    with pytest.raises(InvalidSettingError, match=r"^portfolio: "):
        load_settings(KEY, portfolio=name)


def test_a_wrong_portfolio_is_not_blamed_on_the_variable_it_outranks():
    with pytest.raises(InvalidSettingError) as raised:
        load_settings(KEY | {"TAPEWATCH_PORTFOLIO__NAME": "one"}, portfolio="Two")

    assert "TAPEWATCH_PORTFOLIO__NAME" not in raised.value.message


def test_every_setting_is_described_once_with_its_variable():
    rows = describe_settings(KEY)

    assert {row.variable for row in rows} == set(variables())
    assert len({row.name for row in rows}) == len(rows)


def test_values_are_described_as_they_are_written():
    shown = {row.name: row.value for row in describe_settings(KEY)}

    assert shown["engine.threads"] == "not set"
    assert shown["book.closed_below_ratio"] == "0.01"
    assert shown["health.optional_components"] == '["rdr_90"]'
    assert shown["root_dir"] == str(Path.cwd())


def test_the_key_is_masked_wherever_the_settings_are_shown():
    env = {"TAPEWATCH_PII_KEY": "canary-0123456789abcdef"}
    loaded = load_settings(env)

    shown = f"{loaded!r} {loaded} {loaded.model_dump()} {loaded.model_dump_json()}"

    assert "canary" not in shown + repr(describe_settings(env)) + repr(loaded.value_settings())
    assert {row.value for row in describe_settings(env) if row.name == "pii_key"} == {"********"}


@pytest.mark.parametrize("env", [{"TAPEWATCH_PII_KEY": "canary-0123456789"}, DEVELOPMENT])
def test_the_key_is_not_in_the_debug_log_of_the_library(env, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    monkeypatch.chdir(tmp_path)

    with caplog.at_level("DEBUG"):
        key = load_settings(env).pii_key.get_secret_value()

    assert "InitSettingsSource" in caplog.text
    assert key not in caplog.text


CASCADE = {
    "CASCADE_SESSION_COOKIE": "session=canary-cookie",
    "CASCADE_EXPORT_URL": "/export.zip?token=canary-token",
    "CASCADE_PROXY": "http://ana:canary-password@127.0.0.1:3128",
}


def test_the_secrets_of_cascade_are_masked_wherever_the_settings_are_shown(monkeypatch, caplog):
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    with caplog.at_level("DEBUG"):
        loaded = load_settings(KEY | CASCADE)

    shown = f"{loaded!r} {loaded} {loaded.model_dump()} {loaded.model_dump_json()} {caplog.text}"
    rows = describe_settings(KEY | CASCADE)

    assert "InitSettingsSource" in caplog.text
    assert "canary" not in shown + repr(rows)
    assert [row.value for row in rows if row.variable in CASCADE] == ["********"] * 3


def test_settings_cannot_be_changed():
    loaded = load_settings(KEY)

    with pytest.raises(ValidationError, match="frozen"):
        loaded.environment = "staging"
    with pytest.raises(ValidationError, match="frozen"):
        loaded.book.written_off_after_days = 1


def test_outside_development_a_missing_key_says_how_to_make_one(tmp_path):
    with pytest.raises(MissingPiiKeyError, match="TAPEWATCH_PII_KEY") as raised:
        load_settings({"TAPEWATCH_DATA_DIR": str(tmp_path)})

    assert "secrets.token_hex(32)" in raised.value.fix
    assert raised.value.exit_code == 78
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "environments/production.toml",
            "[engine]\nthreds = 2\n",
            "production.toml, engine.threds",
        ),
        ("environments/production.toml", "[engine]\nthreads = 0\n", "production.toml, engine.thr"),
        ("defaults.toml", "[engine\n", "defaults.toml is missing or damaged"),
        ("environments/production.toml", None, "production.toml is missing or damaged"),
    ],
)
def test_a_wrong_settings_file_is_named_with_its_key(name, text, message, tmp_path):
    package = Path(settings.load.__file__).parent
    shutil.copytree(package, tmp_path / "settings", ignore=shutil.ignore_patterns("__pycache__"))
    if text is None:
        (tmp_path / "settings" / name).unlink()
    else:
        (tmp_path / "settings" / name).write_text(text)
    program = (
        "from settings import errors, load\n"
        "try: load.load_settings()\n"
        "except errors.ConfigError as error: raise SystemExit(error.line())\n"
    )

    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **KEY},
        capture_output=True,
        text=True,
        check=False,
    )

    assert message in done.stderr
    assert done.stderr.count("\n") == 1
