"""What the last verifications of one environment found."""

from collections.abc import Iterator, Mapping

from prometheus.families import Sample
from prometheus.index import FileIndex
from warehouse.layout import Layout
from warehouse.verification import (
    KINDS,
    Verification,
    VerificationKind,
    read_verification,
    verification_file,
)


class VerdictIndex:
    """The verdict of each kind, read when it is new."""

    def __init__(self, layout: Layout, environment: str) -> None:
        """Know where they lie; nothing is read yet."""
        self._paths = {kind: verification_file(layout, environment, kind) for kind in KINDS}
        self._files = FileIndex(read_verification)

    def read(self) -> Mapping[VerificationKind, Verification]:
        """Return the verdicts that there are.

        Raises:
            DamagedVerificationError: A file is no verdict.
            StorageError: A file cannot be read.
        """
        found = {kind: path for kind, path in self._paths.items() if path.exists()}
        return {kind: self._files.read(str(found[kind])) for kind in KINDS if kind in found}


def verdict_samples(kind: VerificationKind, verdict: Verification) -> Iterator[Sample]:
    """Yield what one verdict tells."""
    yield Sample("verification_problems", verdict.count, (kind,))
    if verdict.verified_at is not None:
        moment = verdict.verified_at.timestamp()
        yield Sample("verification_timestamp_seconds", moment, (kind,))
