"""What a command that checks several things found of each, as a table for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table
from rich.text import Text

from deployments.bare_table import bare_table

Verdict = Literal["ok", "warning", "failed"]

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@dataclass(frozen=True)
class Finding:
    """What one check found, and how to put it right."""

    check: str
    verdict: Verdict
    found: str
    fix: str = ""


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return one row a check, with its fix where something is wrong."""
    table = bare_table(is_headed=False)
    for finding in findings:
        told = Text(finding.found)
        if finding.fix:
            told.append(f"\nfix: {finding.fix}", "bold")
        table.add_row(finding.check, Text(finding.verdict, _COLOURS[finding.verdict]), told)
    return table


def failed_checks(findings: Sequence[Finding]) -> list[str]:
    """Return the names of the checks that failed."""
    return [finding.check for finding in findings if finding.verdict == "failed"]
