"""`.env.example` lists every variable, with the default that is really used."""

import re
import shlex
from pathlib import Path

import pytest

from settings import tracing
from settings.load import describe_settings
from settings.model import variables

EXAMPLE = Path(__file__).parents[2] / ".env.example"
KEY = {"TAPEWATCH_PII_KEY": "k" * 16}


def listed():
    lines = re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE)
    return [(name, "".join(shlex.split(value))) for name, value in lines]


def test_every_variable_is_listed_once_and_every_listed_one_is_real():
    names = [name for name, _ in listed()]

    assert sorted(names) == sorted([*variables(), *tracing.VARIABLES])


@pytest.mark.parametrize("environment", ["staging", "development"])  # no file overrides both
def test_the_listed_values_are_the_defaults(environment):
    same = KEY | {"PIPELINE_ENV": environment}
    defaults = {row.name: row.value for row in describe_settings(same) if row.source == "default"}
    when_set = {row.name: row.value for row in describe_settings(dict(listed()) | same)}

    assert {name: when_set[name] for name in defaults} == defaults


def test_no_secret_has_a_value():
    for name in ("TAPEWATCH_PII_KEY", "OTEL_EXPORTER_OTLP_HEADERS"):
        assert dict(listed())[name] == ""


def test_every_group_of_variables_follows_a_comment():
    before = "#"
    for line in EXAMPLE.read_text().splitlines():
        if re.match(r"#?[A-Z_]+=", line):
            assert before.startswith("#"), f"{line} needs a comment"
        before = line
