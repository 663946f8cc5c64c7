"""Find the attempt that a person means: the newest, one by its id or log folder, or a run's."""

from settings.errors import UsageError
from settings.model import Settings
from warehouse.attempt_state import AttemptRecord, list_attempts
from warehouse.layout import Layout
from warehouse.served import NothingPublishedError

LATEST = "latest"


class NoSuchAttemptError(UsageError):
    """No attempt, or more than one, answers to what was asked for."""

    code = "NO_SUCH_ATTEMPT"


def find_attempt(settings: Settings, name: str, portfolio: str | None) -> AttemptRecord:
    """Return the attempt that `name` means: `latest`, an attempt's id, its log folder, or a run.

    Raises:
        NothingPublishedError: There was no attempt yet.
        NoSuchAttemptError: None is meant, or several are.
    """
    attempts = attempts_of(settings, portfolio)
    if not attempts:
        book = f" of portfolio {portfolio}" if portfolio else ""
        raise NothingPublishedError(
            f"nothing was ever run in {settings.environment}{book}",
            fix="tapewatch run --input PATH",
        )
    if name == LATEST:
        return attempts[-1]
    meant = [a for a in attempts if name in (a.attempt_id, a.log_folder)]
    meant = meant or [a for a in attempts if a.attempt_id.startswith(name)]
    meant = meant or [a for a in attempts if a.run_name.startswith(name)][-1:]
    if len(meant) == 1:
        return meant[0]
    raise NoSuchAttemptError(
        f"{name!r} means {len(meant)} attempts" if meant else f"no attempt or run {name!r}",
        fix="name `latest`, an attempt's log folder, or a run that `tapewatch runs` lists",
    )


def attempts_of(settings: Settings, portfolio: str | None = None) -> list[AttemptRecord]:
    """Return the attempts of this environment, oldest first, of one portfolio if it is named."""
    return [
        attempt
        for attempt in list_attempts(Layout.of(settings))
        if attempt.environment == settings.environment and portfolio in (None, attempt.portfolio)
    ]
