"""The lock says what pyproject says, the wheel carries all, and Prefect's server imports."""

import re
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"] + EXTRAS["build"]]
DEVELOPMENT = [*RUNTIME, *(Requirement(text) for text in EXTRAS["dev"])]
PACKAGES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

NOT_SHIPPED = ["grafana"]  # it builds the dashboards, which are files, with a tool of development

LOCKS = {"requirements.txt": RUNTIME, "requirements-dev.txt": DEVELOPMENT}
PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==([^ ;]+)( ;[^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def locked(name: str) -> dict[str, str]:
    pins = (PIN.match(line) for line in (ROOT / name).read_text().splitlines())
    return {pin[1]: pin[2] for pin in pins if pin}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_pins_hashes_and_comments_alone_so_no_address_and_no_path(name):
    lines = (ROOT / name).read_text().splitlines()

    strange = [
        line
        for line in lines
        if not PIN.match(line) and not HASH.match(line) and not line.startswith("    # via ")
    ]

    assert strange == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_of_a_lock_has_a_hash(name):
    lines = (ROOT / name).read_text().splitlines()

    bare = [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if PIN.match(line) and not HASH.match(following)
    ]

    assert bare == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_answers_every_requirement_of_pyproject(name):
    pins = locked(name)

    unanswered = [
        str(requirement)
        for requirement in LOCKS[name]
        if pins.get(canonical(requirement.name), "none") not in requirement.specifier
    ]

    assert unanswered == [], "make lock"


def test_the_development_lock_adds_to_the_runtime_lock_and_changes_nothing_in_it():
    assert locked("requirements.txt").items() <= locked("requirements-dev.txt").items()


@pytest.mark.parametrize("requirement", DEVELOPMENT, ids=lambda requirement: requirement.name)
def test_what_is_installed_is_within_the_bounds_of_pyproject(requirement):
    assert version(requirement.name) in requirement.specifier


@pytest.mark.parametrize(
    ("python", "is_wanted"),
    [("3.10.14", False), ("3.11.0", True), ("3.14.2", True), ("3.15.0", False)],
)
def test_python_3_11_to_3_14_is_wanted(python, is_wanted):
    assert (python in SpecifierSet(PROJECT["requires-python"])) is is_wanted


def test_fastapi_stays_below_the_release_that_breaks_prefects_server():
    (fastapi,) = (requirement for requirement in RUNTIME if requirement.name == "fastapi")

    assert "0.151.0" not in fastapi.specifier
    assert "0.150.0" in fastapi.specifier


@pytest.mark.slow
def test_the_server_of_the_installed_prefect_can_be_imported():
    done = subprocess.run(
        [sys.executable, "-c", "import prefect.server.api.server"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_wheel_carries_every_file_of_the_packages(tmp_path):
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])

    with zipfile.ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    expected = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.suffix in {".py", ".sql", ".toml", ".yaml"}
    }
    assert expected - carried == set()
    assert any(name.endswith(".sql") for name in expected)


@pytest.mark.parametrize(
    "listed",
    [
        PYPROJECT["tool"]["pyright"]["include"],
        PYPROJECT["tool"]["coverage"]["run"]["source"],
        PYPROJECT["tool"]["importlinter"]["root_packages"],
        sorted(file.parent.name for file in ROOT.glob("*/__init__.py")),
    ],
    ids=["pyright", "coverage", "import-linter", "the tree"],
)
def test_every_tool_looks_at_every_package(listed):
    assert sorted(listed) == sorted([*PACKAGES, *NOT_SHIPPED])


@pytest.mark.parametrize("name", ["Makefile", ".ci/run", "pyproject.toml", ".sqlfluff"])
def test_no_check_is_told_to_pass(name):
    text = (ROOT / name).read_text()

    # what would let a check pass whatever it finds, looked for where checks are started
    assert not re.search(r"\|\| *(true|:)|--exit-zero|continue-on-error", text)


def test_continuous_integration_runs_the_checks_and_the_tests_and_nothing_else():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()

    assert [line for line in lines if line.startswith("make")] == ["make check", "make test"]


def test_sqlfluff_has_a_stand_in_for_every_bound_parameter_and_no_other():
    config = ConfigParser(interpolation=None)
    config.read(ROOT / ".sqlfluff")
    stand_ins = set(config["sqlfluff:templater:placeholder"]) - {"param_style"}
    texts = [path.read_text() for path in (ROOT / "warehouse" / "sql").rglob("*.sql")]

    assert {name for text in texts for name in re.findall(r"\$([a-z_0-9]+)", text)} == stand_ins


def test_make_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE))

    done = subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "-C", str(ROOT)],  # noqa: S607 - wherever it is installed
        capture_output=True,
        text=True,
        check=True,
    )

    assert targets == set(re.findall(r"^  make ([a-z-]+)", done.stdout, flags=re.MULTILINE))
