"""Kill a run at one of its system calls, or let the system refuse that one.

A call is known by its name, its path, and how often it had been made on that path. All names that
a run makes up are fixed for this by the alteration `fixed_names`.
"""

import re
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.trials.evidence import after_kill, died_in, served
from tests.trials.killing import Stage, Verdict, judge_heal, judge_kill
from tests.trials.run_process import DataFolder, Done
from tests.trials.strace_log import Call, read_log, traced

_PHASES = ("INGESTION", "TRANSFORMATION", "CALCULATION", "OUTPUT")
ONE_TRY = {f"TAPEWATCH_PHASES__{phase}__RETRIES": "0" for phase in _PHASES}
QUICK_TRIES = {f"TAPEWATCH_PHASES__{phase}__RETRY_DELAY_SECONDS": "1" for phase in _PHASES}
_AT_LEAST = 10
_TOLD = re.compile(r"TAPEWATCH-(?P<code>[A-Z_]+): (?P<message>.+?) \| fix: .+")
_MADE_UP = re.compile(r"(\d{8}T\d{6}Z_)?(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_REFUSED = {"DISK_FAILED", "DISK_FULL", "ENGINE_IO"}


@dataclass(frozen=True)
class Point:
    """The `nth` call of a name on a path, counted from 1."""

    name: str
    path: str
    nth: int

    @property
    def is_clean_up(self) -> bool:
        """Whether a run that is refused this may end well: the next one does it again."""
        is_removal = self.name in ("unlink", "unlinkat", "rmdir")
        return is_removal or (self.name, self.path) == ("fsync", "data/staging")

    def __str__(self) -> str:
        return f"{self.name} {self.nth} on {self.path}"


@dataclass(frozen=True)
class Fault:
    """SIGKILL or an errno, at the point `number` of `of` spread over those of a run."""

    name: str
    number: int
    of: int

    def point(self, points: list[Point]) -> Point:
        shift = 0 if self.name == "SIGKILL" else len(points) // (2 * self.of)
        return points[self.number * len(points) // self.of + shift]


def syscall_faults(trials: int) -> list[Fault]:
    """Return as many kills as refusals; the refusals lie half way between the kills."""
    of = max(_AT_LEAST, trials // 10)
    kills = [Fault("SIGKILL", number, of) for number in range(of)]
    return kills + [Fault(("EIO", "ENOSPC")[number % 2], number, of) for number in range(of)]


def fixed(folder: DataFolder, *alterations: str | None) -> DataFolder:
    """Return the folder whose runs give the same names, and try each phase once."""
    chosen = [alteration for alteration in alterations if alteration]
    return folder.altered(",".join(["fixed_names", *chosen])).set(**ONE_TRY)


def trace_run(folder: DataFolder, log: Path) -> tuple[Done, list[Call]]:
    """Run to the end under strace; return the end and the calls."""
    done = folder.started_under(*traced(log, "--seccomp-bpf")).run()
    return done, read_log(log)


def points_of(root: Path, calls: list[Call]) -> list[Point]:
    """Return the points of a run that change its data folder or its logs, by name and path.

    Their order is that of every stage: it does not go by the name of the attempt that died there.
    """
    met = Counter()
    points = []
    for call in calls:
        path = _filter_path(call)
        if path is None or not path.startswith(f"{root}/"):
            continue
        met[call.name, path] += 1
        if not call.is_refused and (call.is_creation or "open" not in call.name):
            below = str(Path(path).relative_to(root))
            points.append(Point(call.name, below, met[call.name, path]))
    return sorted(points, key=lambda p: (p.name, _MADE_UP.sub("", p.path), p.nth))


def _filter_path(call: Call) -> str | None:
    """Return the path by which strace finds the call again: of `unlinkat` it sees the folder."""
    if not call.paths:
        return None
    if call.name == "unlinkat" and not call.flags.startswith("AT_FDCWD"):
        return str(Path(call.paths[0]).parent)
    return call.paths[0]


def syscall_trial(
    stage: Stage,
    fault: str,
    point: Point,
    scratch: Path,
    alteration: str | None = None,
    *,
    settings: Mapping[str, str] = ONE_TRY,
) -> Verdict:
    """Play one fault at one point."""
    # strace counts by thread: where several share the calls, none may make the nth of them
    for nth in dict.fromkeys((point.nth, 1)):
        folder = fixed(stage.folder.copy_to(scratch / f"trial{nth}"), alteration).set(**settings)
        log = scratch / f"strace{nth}.log"
        done = folder.started_under(*_injecting(fault, point, nth, folder.root, log)).run()
        if fault == "SIGKILL" and done.code == -signal.SIGKILL:
            return Verdict(1, judge_kill(stage, stage.folder.moved_to(folder.root)))
        if any(call.is_injected for call in read_log(log)):
            if done.code == 0 and not point.is_clean_up:
                return Verdict(0, [f"swallowed: exit 0 after {fault} at {point}"])
            return Verdict(0, judge_refusal(stage, stage.folder.moved_to(folder.root), done))
    return Verdict(0, [f"fault: exit {done.code}: {fault} did not land at {point}"])


def _injecting(fault: str, point: Point, nth: int, root: Path, log: Path) -> tuple[str, ...]:
    kind = "signal" if fault == "SIGKILL" else "error"
    inject = f"inject={point.name}:{kind}={fault}:when={nth}"
    # with --seccomp-bpf, strace 6.1 injects errors and forgets signals
    quick = () if fault == "SIGKILL" else ("--seccomp-bpf",)
    path = str(root / point.path)
    return traced(log, "-P", path, "-e", inject, *quick, calls=(point.name,))


def judge_refusal(
    stage: Stage, folder: DataFolder, done: Done, codes: set[str] = _REFUSED
) -> list[str]:
    """What is wrong after a run that the system refused one thing or several."""
    problems = [*judge_words(done, codes), *after_kill(folder.root, stage.expected)]
    if done.code == 0 and served(folder.root) != stage.expected.new_run:
        problems.append("served: exit 0, and the run is not served")
    if problems:
        return [f"after the refusal: {problem}" for problem in problems]
    return judge_heal(stage, folder, died_in(folder.root))


def code_of(done: Done) -> str | None:
    """Return the code of the one line that tells a failure."""
    lines = [line for line in done.err.splitlines() if line.startswith("TAPEWATCH-")]
    told = [_TOLD.match(line) for line in lines]
    return told[0]["code"] if len(told) == 1 and told[0] else None


def judge_words(done: Done, codes: set[str]) -> list[str]:
    """What is wrong with how a run ended: well, or by one typed line about the disk."""
    if "Traceback" in done.err:
        return [f"words: a traceback: {done.err}"]
    if done.code == 0:
        return []
    if done.code != 74 or code_of(done) not in codes:
        return [f"words: exit {done.code}: {done.err}"]
    return []
