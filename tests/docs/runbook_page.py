"""The runbook as the tests read it: its blocks in their order, each with its mark."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from typer.main import get_command

from deployments.cli import app

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "runbook.md"
PAGE = PATH.read_text(encoding="utf-8")
MARK = re.compile(r"<!-- test: ([a-z-]+), (.+) -->")
TAPEWATCH = ".venv/bin/tapewatch"


@dataclass(frozen=True)
class Block:
    """One block of commands; without a mark it is typed as it stands."""

    number: int
    section: str
    mark: str | None
    text: str

    @property
    def name(self):
        """How a test is called that is about it."""
        return f"{self.number:02}-{self.section}".replace(" ", "-")

    @property
    def lines(self):
        """Its commands, without comments."""
        return [line for line in self.text.splitlines() if line and not line.startswith("#")]


def read_blocks():
    """Every block of the page."""
    blocks, section, mark, text = [], "", None, None
    for line in PAGE.splitlines():
        if text is not None:
            if line == "```":
                blocks.append(Block(len(blocks) + 1, section, mark, "".join(text)))
                mark, text = None, None
            else:
                text.append(f"{line}\n")
        elif line == "```bash":
            text = []
        elif found := MARK.fullmatch(line):
            mark = found[1]
        elif line.startswith("#"):
            section = line.lstrip("# ")
    return blocks


def quoted():
    """What stands in backticks outside the blocks, as one line each."""
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    return [" ".join(text.split()) for text in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def missing_of(words):
    """What of a command of tapewatch does not exist: a command, an option; nothing as a rule."""
    command, path = get_command(app), "tapewatch"
    words = [word for word in words if word]
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"{path} has no {words[0]}"
        path = f"{path} {words[0]}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    odd = {word.split("=")[0] for word in words if word.startswith("--")} - known - {"--help"}
    return f"{path} has no {', '.join(sorted(odd))}" if odd else None


def without_variables(line):
    """The words of a command, without the variables that are set for it alone."""
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0], re.DOTALL):
        words.pop(0)
    return words
