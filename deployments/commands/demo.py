"""`tapewatch demo`: four mornings of a lender that does not exist, everything on loopback."""

import select
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue
from rich.console import Console

from deployments.demo.stage import Stage, open_stage
from deployments.demo.story import STORY, Chapter
from deployments.documents import print_json
from deployments.observe.audience import called, print_told
from deployments.observe.stand_ins import Told
from deployments.render import open_console
from settings.errors import UsageError
from settings.model import Settings
from warehouse.layout import Layout

_PAUSES = (3, 30, 15, 40, 15)  # seconds, before each chapter: two minutes in all
_LONG, _SHORT = 12, 5  # lines of a message


class FolderTakenError(UsageError):
    """The folder that the demo should leave behind holds something already."""

    code = "FOLDER_TAKEN"


def show_demo(keep: Path | None, *, is_fast: bool, is_json: bool) -> None:
    """Play the story in a folder of its own and show what people see.

    Args:
        keep: A new folder to leave behind; without it nothing is left.
        is_fast: Without a pause between the chapters.
        is_json: One document instead of the story.

    Raises:
        DemoStrayedError: Something did not go as it is told.
        FolderTakenError: `keep` is not empty.
    """
    console = open_console(stderr=is_json)
    with _folder(keep) as root, ExitStack() as opened:
        with console.status("a tape, a Slack and an audit store …"):
            stage = opened.enter_context(open_stage(root))
        reader = _Reader(console, is_waiting=not (is_fast or is_json))
        told = [_show(chapter, stage, reader, is_json=is_json) for chapter in STORY]
        if is_json:
            print_json({"chapters": [*told], "folder": None if keep is None else str(root)})
        elif keep is not None:
            _tell_where(console, root, stage.settings)
        else:
            console.print("Nothing is left behind; --keep FOLDER leaves the runs to look at.")


class _Reader:
    """A person who needs time to read, and may press Enter when done."""

    def __init__(self, console: Console, *, is_waiting: bool) -> None:
        self.console = console
        self._is_waiting = is_waiting and console.is_terminal
        self._pauses = iter(_PAUSES)
        self._seen: set[str] = set()  # channels that had a long message

    def read(self, told: Told, settings: Settings) -> None:
        """Show a message; of a second long one in a channel its begin."""
        lines = told.text.splitlines()
        if len(lines) > _LONG and told.where in self._seen:
            more = f"… {len(lines) - _SHORT} more lines"
            told = replace(told, text="\n".join([*lines[:_SHORT], more]))
        elif len(lines) > _LONG:
            self._seen.add(told.where)
        print_told(self.console, told, settings)

    def wait(self) -> None:
        """Pause before the next chapter."""
        seconds = next(self._pauses)
        if not self._is_waiting:
            return
        if not sys.stdin.isatty():
            time.sleep(seconds)
            return
        with self.console.status(f"goes on in {seconds} s, or with Enter"):
            ready, _, _ = select.select([sys.stdin], [], [], seconds)
        if ready:
            sys.stdin.readline()


@contextmanager
def _folder(keep: Path | None) -> Generator[Path, None, None]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="tapewatch-demo-") as folder:
            yield Path(folder)
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise FolderTakenError(f"{keep} holds something already", fix="name a new folder")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()


def _show(chapter: Chapter, stage: Stage, reader: _Reader, *, is_json: bool) -> JsonValue:
    console = reader.console
    reader.wait()
    number = STORY.index(chapter) + 1
    console.rule(f"{number} of {len(STORY)}  {chapter.title}", align="left", style="cyan")
    console.print(f"{stage.local_time(chapter.days_ago):%A %d %B, %H:%M}", style="bold")
    console.print(chapter.story, markup=False)
    with console.status("…"):
        lines = chapter.play(stage, stage.morning(chapter.days_ago, chapter.export))
    heard = stage.told()
    for line in lines:
        console.print(line, markup=False)
    for told in heard:
        reader.read(told, stage.settings)
    if not is_json and (stage.store is not None or not chapter.needs_store):
        for shown in chapter.shown:
            console.print(f"\n$ {shown.command}", style="bold green", markup=False)
            shown.show(stage.settings)
    console.print()
    return {
        "title": chapter.title,
        "lines": [*lines],
        "slack": [_document(told, stage.settings) for told in heard],
        "commands": [shown.command for shown in chapter.shown],
    }


def _document(told: Told, settings: Settings) -> JsonValue:
    calls = called(told, settings) or None
    return {"where": told.where, "calls": calls, "title": told.title, "text": told.text}


def _tell_where(console: Console, root: Path, settings: Settings) -> None:
    portfolio = settings.portfolio
    console.print("The runs are left for you to look at:", style="bold")
    for name, value in {
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(root),
        "TAPEWATCH_PORTFOLIO__NAME": portfolio.name,
        "TAPEWATCH_PORTFOLIO__TIME_ZONE": portfolio.time_zone,
    }.items():
        console.print(f"  export {name}={value}", markup=False, soft_wrap=True)
    console.print("  tapewatch report --open", markup=False)
    console.print(f"run folders are in {Layout.of(settings).runs}", markup=False, soft_wrap=True)
