"""A program that is missing leaves tests out where a person runs them, and fails them in CI."""

import pytest

from tests.prometheus.binaries import PROGRAMS, find_binary


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    for name in ("MUST_NOT_SKIP", "CI", *(p.replace("-", "_").upper() for p in PROGRAMS)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_program_its_tests_are_left_out_with_the_way_to_get_it(nowhere, name):
    with pytest.raises(pytest.skip.Exception, match=f"{name} is not installed: apt-get install"):
        find_binary(name)


@pytest.mark.parametrize("variable", ["MUST_NOT_SKIP", "CI"])
def test_where_nothing_may_be_left_out_a_missing_program_fails(nowhere, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")

    with pytest.raises(pytest.fail.Exception, match="set PROMTOOL"):
        find_binary("promtool")


def test_a_variable_names_a_program_that_is_not_on_the_path(nowhere, monkeypatch):
    program = nowhere / "elsewhere" / "am"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PROMETHEUS_ALERTMANAGER", str(program))

    assert find_binary("prometheus-alertmanager") == str(program)
