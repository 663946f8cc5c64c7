"""What the last verification found, kept where the exporter and the next one find it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from settings.errors import DataRejectedError
from warehouse.attempt_folder import utc_text
from warehouse.durable import durable_write, make_folder
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.lock import hold_lock
from warehouse.storage_errors import typed_storage

VerificationKind = Literal["runs", "audit", "drill"]
KINDS: tuple[VerificationKind, ...] = get_args(VerificationKind)


class DamagedVerificationError(DataRejectedError):
    """What a verification left behind is no verdict."""

    code = "DAMAGED_VERIFICATION"


@dataclass(frozen=True)
class Verification:
    """verification/<environment>/<kind>.json: what is not sound, as far as it was looked at.

    `verified_at` is when all of it last was; one run looked at alone changes its own entry in
    `problems`, which counts them by run folder or by item of the store.
    """

    verified_at: AwareDatetime | None = None
    problems: Mapping[str, Annotated[int, Field(ge=1)]] = field(default_factory=dict[str, int])

    @property
    def count(self) -> int:
        """How many problems there are."""
        return sum(self.problems.values())


_VERIFICATION = TypeAdapter(Verification)


def verification_file(layout: Layout, environment: str, kind: VerificationKind) -> Path:
    """Return where the verdict of this kind lies."""
    return layout.verification / environment / f"{kind}.json"


def read_verification(path: Path) -> Verification:
    """Return the verdict in `path`.

    Raises:
        DamagedVerificationError: It is none.
        StorageError: The file cannot be read.
    """
    with typed_storage(path):
        text = path.read_bytes()
    try:
        return _VERIFICATION.validate_json(text)
    except ValidationError:
        raise DamagedVerificationError(
            f"{path} is no verdict",
            fix="run `tapewatch verify --all` and `tapewatch audit verify`: each writes its own; "
            "`tapewatch audit drill DIR --record` writes drill.json",
            evidence={"file": str(path)},
        ) from None


def keep_whole(path: Path, found: Mapping[str, int], now: datetime) -> None:
    """Keep what a verification of everything found, in place of all that was found before.

    Args:
        path: Of `verification_file`.
        found: How many problems each thing has that was looked at, 0 for what is sound.
        now: When that was.

    Raises:
        LockHeldError: Another verification writes down what it found.
        StorageError: The disk refused; the verdict before is untouched.
    """
    with hold_lock(make_folder(path.parent) / "lock", "verification", now):
        _write(path, Verification(now, _unsound(found)))


def keep_part(path: Path, found: Mapping[str, int], now: datetime) -> None:
    """Keep what was found of a part: what was found of the rest stays, and how old that is.

    Raises:
        DamagedVerificationError: What was found of the rest cannot be read.
        LockHeldError: Another verification writes down what it found.
        StorageError: The disk refused; the verdict before is untouched.
    """
    with hold_lock(make_folder(path.parent) / "lock", "verification", now):
        before = read_verification(path) if path.exists() else Verification()
        rest = {name: count for name, count in before.problems.items() if name not in found}
        _write(path, replace(before, problems={**rest, **_unsound(found)}))


def _unsound(found: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in sorted(found.items()) if count}


def _write(path: Path, verdict: Verification) -> None:
    make_folder(path.parent)
    moment = verdict.verified_at
    told = {
        "is_sound": not verdict.count,
        **asdict(verdict),
        "verified_at": None if moment is None else utc_text(moment),
    }
    durable_write(path, pretty_json(told))
