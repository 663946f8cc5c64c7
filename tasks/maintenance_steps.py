"""The steps of each maintenance: every one a command that a person can type as well.

Nothing here imports Prefect: the command line runs the very same steps as the flows.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from settings.model import Settings
from warehouse.layout import Layout

Kind = Literal["weekly", "monthly", "quarterly", "annual"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HOME = Path(__file__).parents[1]


@dataclass(frozen=True)
class Step:
    """One step: a command, or what only a person can do; `not_run` is why it cannot run here."""

    name: str
    told: str
    command: tuple[str, ...] = ()
    not_run: str | None = None
    not_run_codes: tuple[str, ...] = ()  # of errors that say that there was nothing to look at

    @property
    def typed(self) -> str:
        """The command as a person types it, "" for what is done by hand."""
        return " ".join(self.command)


def steps_of(kind: Kind, settings: Settings, now: datetime) -> tuple[Step, ...]:
    """Return the steps of one kind of maintenance, in their order."""
    match kind:
        case "weekly":
            return _weekly(settings)
        case "monthly":
            return _monthly(settings, now)
        case "quarterly":
            return _quarterly(settings)
        case "annual":
            return _annual()


def _weekly(settings: Settings) -> tuple[Step, ...]:
    wait = str(settings.maintenance.lock_minutes)
    return (
        _tapewatch(
            "retention", "old logs and runs go, raw bytes to the archive", "--apply", "--wait", wait
        ),
        *_verification(),
        _tapewatch("doctor", "every setting and dependency"),
        _make("check", "style, types, import rules and SQL of the code"),
        _make("secret-scan", "no secret in what git tracks"),
        _make("dependency-audit", "known weaknesses of what is installed"),
    )


def _monthly(settings: Settings, now: datetime) -> tuple[Step, ...]:
    audit = settings.audit
    root = audit.export_folder or Layout.of(settings).data / "exports"
    folder = str(root / f"{now:%Y%m%dT%H%M%SZ}")
    missing = None if audit.db_url else "SUPABASE_DB_URL is not set: there is no store to export"
    return (
        *_each("compliance", "the report of last month", settings),
        _tapewatch("audit", "the audit store to cold storage", "export", folder, not_run=missing),
        _tapewatch("audit", "that export, restored", "drill", folder, "--record", not_run=missing),
        _tapewatch("credentials", "how old each credential is"),
        Step("rotate", "replace the credentials that are due, then set their set_on"),
        Step("upgrade", "make upgrade in a checkout: newest versions, then all of make quality"),
    )


def _quarterly(settings: Settings) -> tuple[Step, ...]:
    file = str(Layout.of(settings).maintenance / "benchmarks.jsonl")
    command = ("-m", "deployments.bench", "--loans", "17688", "--runs", "3", "--keep", file)
    return (
        *_verification(),
        *_each("reproduce", "the served run, made again from its raw bytes", settings),
        Step("benchmark", "the data path, against the last time", ("python", *command)),
        _make("secret-scan", "no secret in what git tracks"),
        _make("dependency-audit", "known weaknesses of what is installed"),
        Step("permissions", "review who may read and write the store, the server and the disk"),
        Step("documents", "bring docs/ and the security pages up to date"),
    )


def _annual() -> tuple[Step, ...]:
    return (
        Step("deprecations", "remove what CHANGELOG.md calls deprecated for a year or longer"),
        Step("promises", "hold docs/promises.md to the twelve compliance reports of the year"),
        Step("thresholds", "review every line of settings/kpis.toml with the CFO"),
        Step("retention", "review the days under [retention] with the General Counsel"),
        Step("masking key", "check that the backup of TAPEWATCH_PII_KEY can be read"),
        Step("release", "decide on a major version, and what it drops"),
    )


def _each(name: str, told: str, settings: Settings) -> tuple[Step, ...]:
    """Return one step for each book that is served, for the settings' own before there is any."""
    books = Layout.of(settings).pointers(settings.environment)
    return tuple(
        replace(_tapewatch(name, told, "--portfolio", book), name=f"{name} {book}")
        for book in books or (settings.portfolio.name,)
    )


def _verification() -> tuple[Step, ...]:
    return (
        _tapewatch("verify", "every run folder, and every figure again", "--all"),
        _tapewatch("audit", "the audit store against the run folders", "verify"),
    )


def _tapewatch(name: str, told: str, *arguments: str, not_run: str | None = None) -> Step:
    title = f"{name} {arguments[0]}" if name == "audit" else name
    command = ("tapewatch", name, *arguments)
    return Step(title, told, command, not_run, ("NOTHING_PUBLISHED",))


def _make(target: str, told: str) -> Step:
    is_checkout = (HOME / "Makefile").is_file() and (HOME / ".venv" / ".dev").is_file()
    missing = None if is_checkout else "no checkout with the tools of make install-dev is here"
    return Step(target, told, ("make", target), missing, ("AUDIT_NOT_RUN",))
