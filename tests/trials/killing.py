"""One kill trial: a run dies, the next one heals it, a third finds nothing to do."""

import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random

from tests.postgres import Database, Databases
from tests.trials.evidence import Expected, after_heal, after_kill, died_in, published_bytes
from tests.trials.run_process import DataFolder, end_of
from tests.trials.store_evidence import stored_once

# Every fail-point of a run and of its delivery; those met often at several of their times.
KILL_POINTS = (
    *(f"write_{step}:{k}" for step in ("created", "synced", "replaced") for k in range(1, 6)),
    *(f"phase_{step}:{k}" for step in ("started", "done") for k in (1, 3)),
    *(f"{step}:{k}" for step in ("copy_done", "raw_synced", "raw_kept") for k in (1, 4)),
    *(f"probe_made:{k}" for k in (1, 2, 3)),
    *(f"item_sent:{k}" for k in (1, 2, 3)),
    *("lock_taken", "recover_marked", "recover_wiped", "attempt_opened"),
    *("seal_synced", "seal_manifest", "seal_renamed", "seal_committed"),
    *("current_published", "staging_cleared", "attempt_finished"),
)
_SECOND_KILL = 0.25  # of the random trials kill the run that heals, too


@dataclass(frozen=True)
class Stage:
    """What every trial starts from, and must end with.

    `folder` serves a good older run, and an attempt died there before; `seconds` is how long the
    never-killed run took under the lock.
    """

    folder: DataFolder
    expected: Expected
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """How many SIGKILLs landed, and what was wrong."""

    kills: int
    problems: list[str]


def trial_names(trials: int) -> list[str]:
    """Return the fail-points, then so many seeds of random moments that `trials` is full."""
    seeds = range(max(0, trials - len(KILL_POINTS)))
    return [*KILL_POINTS, *(f"seed-{seed}" for seed in seeds)]


def random_moments(seed: int) -> list[float]:
    """Return when to kill, as parts of a run's time: once, or the healing run as well."""
    random = Random(seed)  # noqa: S311
    times = 2 if random.random() < _SECOND_KILL else 1
    return [random.random() for _ in range(times)]


@dataclass(frozen=True)
class _Desk:
    """A fresh copy of the stage's folder, and an empty audit store that its runs are told to."""

    folder: DataFolder
    database: Database


def kill_trial(
    stage: Stage, name: str, scratch: Path, databases: Databases, alteration: str | None = None
) -> Verdict:
    """Play the trial `name`: a fail-point with its count, or a seed."""
    with ExitStack() as stack:

        def desk(number: int) -> _Desk:
            database = stack.enter_context(databases.migrated())
            folder = stage.folder.copy_to(scratch / f"trial{number}").altered(alteration)
            return _Desk(folder.set(SUPABASE_DB_URL=database.url("app")), database)

        if name.startswith("seed-"):
            moments = random_moments(int(name.removeprefix("seed-")))
            met = _killed_at_moments(desk, [moment * stage.seconds for moment in moments])
            kills = len(moments)
        else:
            met, kills = desk(0), 1
            died = met.folder.run(crash_at=name)
            if died.code != -signal.SIGKILL:
                told = f"exit {died.code} instead of a death at {name}: {died.err}"
                return Verdict(0, [f"kill: {told}"])
        problems = judge(stage, met.folder)
        if not problems:
            found = stored_once(met.folder.root, met.database)
            problems = [f"the store: {problem}" for problem in found]
        return Verdict(kills, problems)


def _killed_at_moments(desk: Callable[[int], _Desk], moments: list[float]) -> _Desk:
    for k in count():  # a moment that came after the end is no kill: earlier, on a fresh folder
        met = desk(k)
        if all(_kill_after(met.folder, moment / 2**k) for moment in moments):
            return met
    raise AssertionError


def _kill_after(folder: DataFolder, seconds: float) -> bool:
    process = folder.start_and_wait(seconds)
    process.kill()
    return end_of(process).code == -signal.SIGKILL


def judge(stage: Stage, folder: DataFolder) -> list[str]:
    """What is wrong with what a killed run left, or with how the next ones heal it."""
    problems = judge_kill(stage, folder)
    if problems:
        return problems
    before = published_bytes(folder.root)
    third = folder.run()
    if third.code != 0 or third.outcome != "already_published":
        return [f"the third run: exit {third.code}: {third.out}{third.err}"]
    if published_bytes(folder.root) != before:
        return ["the third run: it changed what is published"]
    return []


def judge_kill(stage: Stage, folder: DataFolder) -> list[str]:
    """What is wrong with what a killed run left, or with how the next one heals it."""
    problems = after_kill(folder.root, stage.expected)
    if problems:
        return [f"after the kill: {problem}" for problem in problems]
    return judge_heal(stage, folder, died_in(folder.root))


def judge_heal(stage: Stage, folder: DataFolder, died: set[str]) -> list[str]:
    """What the next run does not put right."""
    healer = folder.run()
    if healer.code != 0:
        return [f"the next run: exit {healer.code}: {healer.err}"]
    problems = after_heal(folder.root, stage.expected, died)
    return [f"after the next run: {problem}" for problem in problems]
