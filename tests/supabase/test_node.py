"""The Node packages of the tests are locked as the Python ones are, and never missed in silence."""

import json
import re

import pytest

from tests.supabase.node import REST, find_node

LOCK = json.loads((REST / "package-lock.json").read_text())
MANIFEST = json.loads((REST / "package.json").read_text())
ASKED_FOR = MANIFEST["dependencies"] | MANIFEST["optionalDependencies"]
PACKAGES = {path: package for path, package in LOCK["packages"].items() if path}


def test_every_package_that_is_asked_for_has_an_exact_version():
    assert [version for version in ASKED_FOR.values() if not re.fullmatch(r"[\d.]+", version)] == []
    assert {PACKAGES[f"node_modules/{name}"]["version"] for name in ASKED_FOR} == set(
        ASKED_FOR.values()
    )


def test_every_package_of_the_lock_has_a_hash_and_no_address():
    assert len(PACKAGES) > len(ASKED_FOR)
    assert [path for path, package in PACKAGES.items() if "resolved" in package] == []
    assert [
        path
        for path, package in PACKAGES.items()
        if not package.get("integrity", "").startswith("sha512-")
    ] == []


def test_no_package_runs_a_script_when_it_is_installed():
    assert [path for path, package in PACKAGES.items() if "hasInstallScript" in package] == []


@pytest.mark.parametrize("variable", ["CI", "MUST_NOT_SKIP"])
def test_a_missing_node_fails_where_no_test_may_be_left_out(monkeypatch, variable):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(variable, "1")

    with pytest.raises(pytest.fail.Exception, match="Node is not installed"):
        find_node()


def test_a_missing_node_skips_on_a_persons_machine(monkeypatch):
    monkeypatch.setenv("PATH", "")
    for variable in ("CI", "MUST_NOT_SKIP"):
        monkeypatch.delenv(variable, raising=False)

    with pytest.raises(pytest.skip.Exception, match="Node is not installed"):
        find_node()
