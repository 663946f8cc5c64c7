"""Play one small run of the write protocol again and again, killed at every place it can die.

Run as a program in a fresh interpreter: it forks one process a trial, which is safe only where
nothing has started threads, and prints what it saw as JSON. `test_attempts.py` judges that.
"""

import json
import os
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from settings.trials import crash_at
from warehouse.attempt_state import list_attempts, recover
from warehouse.attempts import open_attempt
from warehouse.durable import copy_with_sha256
from warehouse.failpoints import FAIL_POINTS
from warehouse.identity import RunIdentity
from warehouse.layout import Layout, clear_staging, open_staging, preflight
from warehouse.lock import hold_lock
from warehouse.manifest import InputFacts, Manifest
from warehouse.run_folder import (
    find_run,
    keep_raw,
    list_runs,
    previous_run,
    publish,
    read_current,
    seal,
    superseded_runs,
    verify_all,
)

NOW = datetime(2025, 12, 27, 9, 0, tzinfo=UTC)


def play(layout: Layout, tape: Path, as_of: date, attempt_id: str) -> None:
    """Run the protocol on a one-file tape; the stand-in for the four phases."""
    preflight(layout, tape.stat().st_size)
    with hold_lock(layout.lock, attempt_id, NOW) as lock:
        recover(layout, lock, NOW)
        with open_attempt(layout, attempt_id, "development", "cascade", NOW) as attempt:
            paths = open_staging(layout, attempt_id)
            with attempt.phase("ingestion"):
                copied = copy_with_sha256(tape, paths.tape / tape.name)
                raw = keep_raw(layout, copied.path, copied.sha256, tape.name)
            question = RunIdentity(
                "development", "cascade", as_of, (copied.sha256,), "1", "sql", {}, "key"
            )
            attempt.identify(question.run_id, as_of)
            run, outcome = find_run(layout, question), "already_published"
            if run is None:
                with attempt.phase("calculation"):
                    (paths.run / "loan.parquet").write_bytes(raw.read_bytes() * 3)
                    (paths.run / "kpi.parquet").write_bytes(raw.read_bytes()[:8])
                before = previous_run(layout, question)
                manifest = Manifest(
                    identity=question,
                    inputs=(InputFacts(tape.name, copied.sha256, copied.size),),
                    ingestion={},
                    kpis={"par_90": {"value": 0.1}},
                    quality={},
                    previous_run=before.name if before else None,
                    prev_manifest_sha256=before.manifest_sha256() if before else None,
                    supersedes=tuple(r.manifest.run_id for r in superseded_runs(layout, question)),
                    code="trial",
                    created_at=NOW,
                )
                with attempt.phase("output"):
                    run = seal(layout, paths.run, manifest, {"loan.parquet": 3})
                outcome = "published"
            publish(layout, run)
            clear_staging(paths)
            attempt.succeed(outcome, run.folder)


def in_child(layout: Layout, day: int, attempt_id: str, crash: str | None) -> int:
    """Play one day in its own process; return its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        os.umask(0)  # the worst one: nothing is private unless the protocol makes it so
        os.environ.update({"TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": crash or ""})
        crash_at.cache_clear()
        # what the kernel has, a killed process cannot lose: only a power cut needs the disk
        os.fsync = lambda fd: None
        try:
            play(layout, layout.data.parent / f"{day}.csv", date(2025, 12, day), attempt_id)
            os._exit(0)
        finally:  # an error must not climb into the parent's loop
            os._exit(70)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def look(layout: Layout) -> dict[str, object]:
    """Return everything that a reader and a checker can see from outside."""
    served = read_current(layout)
    everything = [*layout.data.rglob("*"), *layout.logs.rglob("*")]
    return {
        "current": served.name if served else None,
        "files": {
            run.name: {name: facts.sha256 for name, facts in run.manifest.files.items()}
            for run in list_runs(layout)
        },
        "problems": [f"{p.folder} {p.file} {p.what}" for p in verify_all(layout)],
        "staging": [p.name for p in layout.staging.iterdir()],
        "tmp": [p.name for p in everything if p.name.endswith(".tmp")],
        "open": [p.name for p in everything if not p.is_symlink() and p.stat().st_mode & 0o077],
        "raw": sorted(p.parent.name for p in layout.raw.glob("*/*")),
        "statuses": sorted(a.status for a in list_attempts(layout)),
    }


def trials(root: Path) -> dict[str, object]:
    """Kill at the k-th time of every fail-point until it is met no more; heal each time."""
    base = root / "base"
    base.mkdir()
    for day in (25, 26):
        (base / f"{day}.csv").write_bytes(b"loan_id\n" + b"L%d\n" % day * 1000)
    in_child(Layout(base / "data", base / "logs"), 25, "first", None)
    # every trial starts with a dead attempt to clean up, so a kill there is a second crash
    in_child(Layout(base / "data", base / "logs"), 26, "dead", "copy_done")

    def fresh(name: str) -> Layout:
        copy = root / name
        shutil.copytree(base, copy, symlinks=True)
        return Layout(copy / "data", copy / "logs")

    reference = fresh("reference")
    status = in_child(reference, 26, "second", None)
    seen: dict[str, object] = {"reference": {"status": status, "healed": look(reference)}}
    for point in FAIL_POINTS:
        for count in range(1, 100):
            layout = fresh("trial")
            crash = f"{point}:{count}"
            status = in_child(layout, 26, "killed", crash)
            during = look(layout)
            heal = in_child(layout, 26, "healer", None)
            trial = {"status": status, "heal": heal, "during": during, "healed": look(layout)}
            shutil.rmtree(layout.data.parent)
            if status != -9:
                break  # met fewer than `count` times: the run went through
            seen[crash] = trial
    return seen


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trials(Path(sys.argv[1]))))
