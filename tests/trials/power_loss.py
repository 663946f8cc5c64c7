"""What a power cut could undo: read from the log of a run's system calls, without cutting power.

Only what was synced counts as written, and only a synced folder keeps the names in it. A file is
known by its folder and name at the moment of the call; renames and hard links carry it along.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.trials.strace_log import Call

PUBLISHED = ("runs", "current", "raw", "attempts", "delivery")


@dataclass
class _File:
    """When it was written to last and when it was synced, as places in the log."""

    written: int
    synced: int = -1
    is_lost: bool = False  # its sync failed: the system forgets, so a second one proves nothing


@dataclass
class _Folder:
    """When its names were changed last, by what, and when they were synced."""

    changed: int = -1
    by: str = ""
    synced: int = -1
    publishes: bool = False

    @property
    def is_open(self) -> bool:
        return self.synced < self.changed


@dataclass
class PowerLoss:
    """Follows the calls of one or several runs on one data folder, in their order."""

    data: str
    found: list[str] = field(default_factory=list)
    renames: int = 0
    _files: dict[str, _File] = field(default_factory=dict)
    _folders: dict[str, _Folder] = field(default_factory=dict)
    _start: int = 0

    def follow(self, calls: Iterable[Call]) -> None:
        """Follow the calls of one run."""
        end = self._start
        for call in sorted(calls, key=lambda call: call.ended):
            end = self._start + call.ended + 1
            self._take(call)
        self._start = end

    def at_the_end(self) -> list[str]:
        """Return all that a power cut now, or at some moment before, could have undone."""
        unkept = [
            f"{path}: {folder.by} is never kept by a sync of the folder"
            for path, folder in sorted(self._folders.items())
            if folder.publishes and folder.is_open
        ]
        return [problem.replace(f"{self.data}/", "") for problem in self.found + unkept]

    def _take(self, call: Call) -> None:
        if not any(path.startswith(self.data) for path in call.paths):
            return
        if call.is_sync:
            self._sync(call)
        elif not call.is_refused:
            self._change(call)

    def _change(self, call: Call) -> None:
        if call.is_write:
            self._write(call)
        elif call.is_rename:
            self._rename(call)
        elif call.is_removal:
            self._files.pop(call.paths[-1], None)
        elif "open" not in call.name:
            if call.name.startswith("link"):
                self._files[call.paths[1]] = self._files.get(call.paths[0], _File(-1, 0))
            self._name(call, call.paths[-1], f"the {call.name} of {call.paths[-1]}")

    def _sync(self, call: Call) -> None:
        began = self._start + call.began
        folder = self._folders.get(call.paths[0])
        file = self._files.get(call.paths[0])
        if call.is_done and folder is not None and folder.changed < began:
            folder.synced = began
        if file is None:
            return
        if call.is_done:
            file.synced = began
        file.is_lost = file.is_lost or call.is_refused

    def _write(self, call: Call) -> None:
        path, ended = call.paths[-1], self._start + call.ended
        if call.is_creation and ("O_EXCL" in call.flags or path not in self._files):
            self._files[path] = _File(ended)
            self._name(call, path, f"the making of {path}")
        self._files.setdefault(path, _File(ended)).written = ended
        if self._part(path) and not path.endswith(".tmp"):
            self.found.append(f"{path}: written in place, where readers see half of it")

    def _rename(self, call: Call) -> None:
        source, target = call.paths
        began = self._start + call.began
        if self._part(target):
            self.renames += 1
            self._judge_moved(source, target, began)
        self._name(call, target, f"the rename to {target}")
        for table in (self._files, self._folders):
            for path in [p for p in table if p == source or p.startswith(f"{source}/")]:
                table[target + path.removeprefix(source)] = table.pop(path)

    def _judge_moved(self, source: str, target: str, began: int) -> None:
        for path, file in self._files.items():
            if path == source or path.startswith(f"{source}/"):
                if not file.written < file.synced < began:
                    self.found.append(f"{path}: not synced before the rename to {target}")
                if file.is_lost:
                    self.found.append(f"{path}: renamed to {target} though a sync of it failed")
        moved = self._folders.get(source)
        if moved is not None and moved.is_open:
            self.found.append(f"{source}: its names are not synced before the rename to {target}")
        if self._part(target) == "current" and self._folder(f"{self.data}/runs").is_open:
            self.found.append(f"{target}: it names a run before the folder of runs is synced")

    def _name(self, call: Call, path: str, by: str) -> None:
        if path.endswith(".tmp"):
            return
        folder = self._folder(str(PurePosixPath(path).parent))
        folder.changed = self._start + call.ended
        if self._part(path):
            folder.by, folder.publishes = by, True

    def _folder(self, path: str) -> _Folder:
        return self._folders.setdefault(path, _Folder())

    def _part(self, path: str) -> str | None:
        """Return the published part of the data folder in which a path lies."""
        below = path.removeprefix(f"{self.data}/").split("/")
        return below[0] if path.startswith(f"{self.data}/") and below[0] in PUBLISHED else None


def undone_by_power_loss(data: str, *runs: list[Call]) -> list[str]:
    """Return what a power cut could undo of runs that followed each other on one folder.

    A log in which nothing is published proves nothing, which is a problem too.
    """
    oracle = PowerLoss(data)
    for calls in runs:
        oracle.follow(calls)
    problems = oracle.at_the_end()
    return problems if oracle.renames else [*problems, "the log shows no rename that publishes"]
