"""A published data folder to read, and the command line to ask it with."""

import io
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.cli import run_command
from tests.warehouse.mixed_tape import AS_OF, mixed_tape

KEY = "a key for the tests alone, no secret"
EARLIER_DAYS = ("2025-12-03", "2025-12-09")


@dataclass(frozen=True)
class Done:
    """What a person sees of a command that ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def tape(tmp_path_factory):
    """The four CSVs of the mixed tape."""
    return mixed_tape().write(tmp_path_factory.mktemp("tape"))


@dataclass(frozen=True)
class Published:
    """A data folder with the mixed tape published, to be read alone, and what the run printed."""

    root: Path
    folder: Path
    printed: Done


@pytest.fixture(scope="session")
def published(tape, tmp_path_factory):
    """The mixed tape, published once for all tests."""
    root = tmp_path_factory.mktemp("published")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        _use(patch, root)
        code = run_command(["run", "--input", str(tape)])
    (folder,) = (root / "data" / "runs").iterdir()
    return Published(root, folder, Done(code, out.getvalue(), err.getvalue()))


@pytest.fixture(scope="session")
def published_days(published, tape, tmp_path_factory):
    """The published data folder with two earlier days of the same tape, to be read alone."""
    root = tmp_path_factory.mktemp("days") / "home"
    shutil.copytree(published.root, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        _use(patch, root)
        for day in EARLIER_DAYS:
            run_command(["run", "--input", str(tape), "--as-of", day, "--backfill"])
    return root


@pytest.fixture
def days(monkeypatch, published_days):
    """The published folder of three days, in use: no test may change it."""
    return _use(monkeypatch, published_days)


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty data folder of this test alone, in use."""
    return _use(monkeypatch, tmp_path / "home")


@pytest.fixture
def full_home(monkeypatch, published, tmp_path):
    """A copy of the published data folder, in use: this test may damage it."""
    root = shutil.copytree(published.root, tmp_path / "home", symlinks=True)
    return _use(monkeypatch, root)


@pytest.fixture
def tapewatch(capsys):
    """Run one command in this process; return its code and what it printed."""

    def command(*arguments: object) -> Done:
        capsys.readouterr()
        code = run_command([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return command


@pytest.fixture
def run_folder(full_home) -> Path:
    """The served run folder of `full_home`."""
    (folder,) = (full_home / "data" / "runs").glob(f"{AS_OF}-*")
    return folder


def _use(patch: pytest.MonkeyPatch, root: Path) -> Path:
    patch.setenv("PIPELINE_ENV", "development")
    patch.setenv("TAPEWATCH_DATA_DIR", str(root))
    patch.setenv("TAPEWATCH_PII_KEY", KEY)
    patch.setenv("COLUMNS", "100")
    return root
