"""`tapewatch stress`: a run on a large synthetic tape, and what each SQL file of a phase cost."""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from deployments.commands.run import print_profile
from deployments.phases import PlainPhases
from deployments.render import open_console
from settings.errors import UsageError
from settings.load import load_settings
from settings.model import Settings
from settings.version import code_version
from warehouse.attempts import PHASES
from warehouse.job import RunRequest
from warehouse.profile import Profile
from warehouse.run import Start, run_daily
from warehouse.synthetic import write_tape


def stress_phase(phase: str, loans: int, seed: int) -> None:
    """Run a synthetic tape in a throw-away data folder and show the costs of one phase.

    Raises:
        UsageError: No phase has this name.
        TapewatchError: The run failed.
    """
    if phase not in PHASES:
        raise UsageError(f"no phase is called {phase!r}", fix=f"use one of {', '.join(PHASES)}")
    settings = load_settings()
    console = open_console(stderr=True)
    tape = settings.paths.data_dir / "synthetic" / f"{loans}-seed{seed}"
    if not tape.is_dir():
        with console.status(f"making a synthetic tape of {loans:,} loans …"):
            write_tape(tape, loans, seed=seed, memory_limit=settings.engine.memory_limit)
    profile = Profile()
    _run_aside(settings, tape, PlainPhases(settings.phases, console, profile))
    print_profile(open_console(), profile, phase)


def _run_aside(settings: Settings, tape: Path, phases: PlainPhases) -> None:
    aside = Path(tempfile.mkdtemp(prefix="stress-", dir=tape.parent))
    try:
        start = Start(uuid4().hex, datetime.now(UTC), code_version())
        elsewhere = settings.model_copy(update={"root_dir": aside})
        run_daily(RunRequest((tape,)), elsewhere, start, phases)
    finally:
        shutil.rmtree(aside)
