"""`tapewatch verify`: prove that a sealed run is what was sealed, and comes out the same again."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from deployments.counted import count_days
from deployments.documents import print_json
from deployments.lookup import folder_of
from deployments.render import open_console, print_facts
from deployments.verdict import keep_verdict
from settings.errors import DataRejectedError
from settings.model import Settings
from warehouse.audit import verify_audit_rows
from warehouse.history_proof import HistoryProof, verify_history
from warehouse.kpi_history import KpiHistory
from warehouse.layout import Layout
from warehouse.manifest import HashMismatchError, load_manifest
from warehouse.rebuild import Rebuilt, rebuild
from warehouse.retention.log import removed_manifests
from warehouse.run_folder import SealedRun, run_folders
from warehouse.served import NothingPublishedError, served_run
from warehouse.verify import Problem, verify_folder


class RebuildDiffersError(DataRejectedError):
    """The tables of a sealed run do not give what the run says."""

    code = "REBUILD_DIFFERS"


class HistoryDiffersError(DataRejectedError):
    """A past day that was worked out from a run is not what the run gives."""

    code = "HISTORY_DIFFERS"


@dataclass(frozen=True)
class _Verdict:
    """What was found of one run folder, and of the past days that were worked out from it.

    `rebuilt` and `history` are None when its files are not sound.
    """

    folder: Path
    problems: tuple[Problem, ...]
    rebuilt: Rebuilt | None = None
    history: HistoryProof | None = None

    @property
    def differing(self) -> tuple[str, ...]:
        """What must come out the same and does not."""
        is_comparable = self.rebuilt is not None and self.rebuilt.is_same_sql
        return self.rebuilt.differing if self.rebuilt and is_comparable else ()

    @property
    def untrue_days(self) -> tuple[Problem, ...]:
        """The past days that are not what the run gives."""
        return self.history.problems if self.history else ()

    @property
    def count(self) -> int:
        return len(self.problems) + len(self.differing) + len(self.untrue_days)

    @property
    def is_sound(self) -> bool:
        return self.count == 0


def verify_runs(settings: Settings, name: str | None, *, is_all: bool, is_json: bool) -> None:
    """Verify the served run, the named one, or all of them.

    Raises:
        HashMismatchError: A folder is not what was sealed.
        RebuildDiffersError: A run's tables do not give what it says.
        HistoryDiffersError: Or not what a past day says that was worked out from it.
        NothingPublishedError: There is nothing to verify.
    """
    layout = Layout.of(settings)
    verdicts = [_verify(folder, layout, settings) for folder in _chosen(layout, name, is_all)]
    if is_json:
        print_json({"is_sound": all(v.is_sound for v in verdicts), "runs": _documents(verdicts)})
    else:
        console = open_console()
        for verdict in verdicts:
            _print_verdict(console, verdict)
    found = {verdict.folder.name: verdict.count for verdict in verdicts}
    keep_verdict(settings, "runs", found, is_whole=is_all)
    _refuse_unsound(verdicts, layout)


def _chosen(layout: Layout, name: str | None, is_all: bool) -> list[Path]:
    if is_all:
        folders = run_folders(layout)
        if not folders:
            raise NothingPublishedError(
                f"there is no run under {layout.runs}", fix="publish a tape with `tapewatch run`"
            )
        return folders
    if name is not None:
        return [layout.runs / folder_of(layout, name)]
    return [served_run(layout).folder]


def _verify(folder: Path, layout: Layout, settings: Settings) -> _Verdict:
    problems = tuple(verify_folder(folder))
    if problems:
        return _Verdict(folder, problems)
    run = SealedRun(folder, load_manifest(folder))
    with TemporaryDirectory(prefix="tapewatch-") as spill:
        rebuilt = rebuild(run, settings, Path(spill))
        with count_days(
            open_console(stderr=True), f"verifying the history of {folder.name}"
        ) as told:
            history = verify_history(layout, run, settings, Path(spill), told)
    return _Verdict(folder, tuple(verify_audit_rows(run)), rebuilt, history)


def _refuse_unsound(verdicts: list[_Verdict], layout: Layout) -> None:
    for verdict in verdicts:
        fix = f"move {verdict.folder} out of runs, then run the tape of that day again"
        if verdict.differing:
            told = ", ".join(verdict.differing)
            raise RebuildDiffersError(f"{verdict.folder}: its tables give another {told}", fix=fix)
        if verdict.problems:
            first = verdict.problems[0]
            more = f" and {len(verdict.problems) - 1} more" if len(verdict.problems) > 1 else ""
            raise HashMismatchError(f"{verdict.folder}: {first.file} {first.what}{more}", fix=fix)
    for verdict in verdicts:
        if verdict.untrue_days:
            raise _untrue_day(verdict, layout)


def _untrue_day(verdict: _Verdict, layout: Layout) -> HistoryDiffersError:
    run = SealedRun(verdict.folder, load_manifest(verdict.folder))
    first, folder = verdict.untrue_days[0], KpiHistory.of(layout, run).folder
    others = len(verdict.untrue_days) - 1
    more = f" (and {others:,} more)" if others else ""
    return HistoryDiffersError(
        f"{folder / first.file} {first.what}{more}",
        fix=f"keep a copy, remove {folder}, then run `tapewatch backfill`",
    )


def _documents(verdicts: list[_Verdict]) -> list[JsonValue]:
    return [
        {
            "run": verdict.folder.name,
            "is_sound": verdict.is_sound,
            "problems": [{"file": p.file, "what": p.what} for p in verdict.problems],
            "rebuilt": None if verdict.rebuilt is None else _rebuilt_document(verdict.rebuilt),
            "history": None if verdict.history is None else _history_document(verdict.history),
        }
        for verdict in verdicts
    ]


def _history_document(history: HistoryProof) -> dict[str, JsonValue]:
    return {
        "days": history.days,
        "is_rebuilt": history.is_rebuilt,
        "problems": [{"file": p.file, "what": p.what} for p in history.problems],
    }


def _rebuilt_document(rebuilt: Rebuilt) -> dict[str, JsonValue]:
    found = rebuilt.reconciliation
    return {
        "is_same_sql": rebuilt.is_same_sql,
        "reconciliation": found
        and {
            "matched": found.matched,
            "compared": found.compared,
            "is_equal": rebuilt.is_reconciliation_equal,
        },
        "kpis": [
            {
                "name": kpi.sealed.name,
                "sealed": None if kpi.sealed.value is None else f"{kpi.sealed.value:f}",
                "rebuilt": None
                if kpi.rebuilt is None or kpi.rebuilt.value is None
                else f"{kpi.rebuilt.value:f}",
                "is_equal": kpi.is_equal,
            }
            for kpi in rebuilt.kpis
        ],
    }


def _print_verdict(console: Console, verdict: _Verdict) -> None:
    sound = Text("sound", "green") if verdict.is_sound else Text("NOT SOUND", "bold red")
    console.print(Text(f"{verdict.folder.name}: ", "bold") + sound, soft_wrap=True)
    if verdict.rebuilt is None:
        found = "\n".join(f"{p.file} {p.what}" for p in verdict.problems)
        print_facts(console, {"  problems": found})
        return
    rebuilt = verdict.rebuilt
    manifest = load_manifest(verdict.folder)
    facts = {
        "  files": f"{len(manifest.files)} files and the manifest have the bytes that were sealed",
        "  chain": _chain_line(verdict.folder, manifest.previous_run),
        "  reconciled": _reconciled(rebuilt),
        "  KPIs": _kpi_line(rebuilt),
    }
    if verdict.history is not None and verdict.history.days:
        facts["  history"] = _history_line(verdict.history)
    if verdict.problems:
        facts["  problems"] = "\n".join(f"{p.file}: {p.what}" for p in verdict.problems)
    if rebuilt.differing and not rebuilt.is_same_sql:
        facts["  SQL"] = "not the SQL that sealed this run, so other figures prove nothing"
    print_facts(console, facts)


def _reconciled(rebuilt: Rebuilt) -> str:
    if rebuilt.reconciliation is None:
        return "the tape tells no ledger"
    return rebuilt.reconciliation.line().removeprefix("reconciled: ")


def _chain_line(folder: Path, previous: str | None) -> str:
    if previous is None:
        return "the first run of its book"
    if (folder.parent / previous).is_dir():
        return f"{previous} is unchanged since"
    is_on_record = any(removed_manifests(folder.parent.parent, previous))
    return f"{previous} is kept no longer{', and fits its record' if is_on_record else ''}"


def _kpi_line(rebuilt: Rebuilt) -> str:
    equal = sum(kpi.is_equal for kpi in rebuilt.kpis)
    line = f"{equal} of {len(rebuilt.kpis)} come out the same, to the last digit"
    told = [
        f"{kpi.sealed.name}: sealed {kpi.sealed.value}, "
        f"now {'not in the catalogue' if kpi.rebuilt is None else kpi.rebuilt.value}"
        for kpi in rebuilt.kpis
        if not kpi.is_equal
    ]
    return "\n".join([line, *told])


def _history_line(history: HistoryProof) -> str:
    """Return how many past days are what they were, and name each that is not."""
    sound = history.days - len(history.problems)
    line = f"{sound:,} of {history.days:,} past days come out the same, to the last digit"
    if not history.is_rebuilt:
        line = f"{sound:,} of {history.days:,} past days have the hash they were kept with"
    return "\n".join([line, *(f"{p.file} {p.what}" for p in history.problems)])
