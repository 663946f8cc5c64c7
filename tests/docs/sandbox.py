"""A folder to type the runbook in: it looks like a checkout after its installation."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.runbook_page import ROOT
from tests.warehouse.mixed_tape import mixed_tape

COPIED = ("Makefile", "pyproject.toml", "requirements.txt", "requirements-dev.txt")
PLACEHOLDER = re.compile(r"<[a-z][a-z-]*>")
_ENDED_BY_TIMEOUT = 124


@dataclass
class Sandbox:
    """One shell after another in one folder; what one exports, the next one has."""

    home: Path
    filled: dict  # what a person puts in for each placeholder
    exported: dict = field(default_factory=dict)

    def type(self, text):
        """Type a block as it stands; whatever fails in it ends it."""
        kept = self.home.parent / "exported"
        script = f"set -eo pipefail\n{self.fill(text)}\ncd '{self.home}'; env -0 > '{kept}'\n"
        done = self._run(["bash", "-c", script])
        if done.returncode == 0:
            pairs = kept.read_text().rstrip("\0").split("\0")
            self.exported = dict(pair.split("=", 1) for pair in pairs)
        return done

    def begin_endless(self, text):
        """Type what ends by a signal alone, and send it one once it has answered or worked."""
        return self._run(["timeout", "--foreground", "1", "bash", "-c", self.fill(text)])

    def fill(self, text):
        """Put something in for every placeholder, as a person does."""
        return PLACEHOLDER.sub(lambda found: self._filled(found[0]), text)

    def _filled(self, name):
        value = self.filled[name]
        return value(self.home) if callable(value) else value

    def _run(self, command):
        home = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TERM": "xterm"}
        # a busy machine makes one run slower than another, and no code worse
        patient = {"TAPEWATCH_SHADOW__SLOWER_SECONDS": "600"}
        environment = {**home, **patient, "COLUMNS": "100", "LC_ALL": "C.UTF-8", **self.exported}
        return subprocess.run(  # noqa: S603 - the page's own block, as a person types it
            command,
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


def ended_by_timeout(done):
    """Whether a command was still at work when its time was over."""
    return done.returncode == _ENDED_BY_TIMEOUT


def make_home(home, scratch):
    """Give a folder the look of a checkout after its installation, and put a tape into it."""
    for name in COPIED:
        shutil.copyfile(ROOT / name, home / name)
    (home / ".venv" / "bin").mkdir(parents=True)
    for stamp in (".uv", ".run", ".dev"):  # newer than what was copied: nothing is installed again
        (home / ".venv" / stamp).touch()
    drop = home / "data" / "raw" / "cascade"
    drop.mkdir(parents=True)
    shutil.copyfile(zipped(mixed_tape(), scratch / "first"), drop / "loan_tape.zip")
    shutil.copyfile(ROOT / ".gitignore", home / ".gitignore")
    for number in (1, 2):
        (home / "NEWS").write_text(f"version {number}\n")
        git(home, "init", "-q", "-b", "main") if number == 1 else None
        git(home, "add", "-A")
        git(home, "commit", "-q", "-m", f"Version {number}")


def zipped(tape, scratch):
    """The tape as Cascade's ZIP."""
    return Path(shutil.make_archive(str(scratch), "zip", tape.write(scratch)))


def cut_tape(home):
    """A tape of the next night that lacks its customers."""
    tape = mixed_tape(extra_payment=2).write(home.parent / "cut")
    (tape / "loans.csv").write_text("loan_id,term\nL1,3\n")
    return tape


def git(home, *arguments):
    who = ["-c", "user.name=operator", "-c", "user.email=operator@example.invalid"]
    subprocess.run(["git", *who, *arguments], cwd=home, check=True, capture_output=True)  # noqa: S603, S607
