"""KPI values of past days, worked out from one sealed run: small files that may be made again.

They lie in history/<environment>-<portfolio>/<run folder>/<day>.json. A run's id holds the hash of
its SQL, of its input and of its settings, so values of two definitions never share a folder.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from pydantic import JsonValue, TypeAdapter

from warehouse.durable import durable_write, make_folder
from warehouse.json_text import canonical_sha256, pretty_json
from warehouse.kpis import KpiValue
from warehouse.layout import Layout
from warehouse.run_folder import SealedRun
from warehouse.storage_errors import typed_storage

_JSON = TypeAdapter(dict[str, JsonValue])
_VALUES = TypeAdapter(tuple[KpiValue, ...])
_HASH = "content_sha256"


@dataclass(frozen=True)
class KpiHistory:
    """The past days that were worked out from one run."""

    folder: Path
    run_id: str
    sql_sha256: str

    @classmethod
    def of(cls, layout: Layout, run: SealedRun) -> Self:
        """Return the history of a run; there may be no day in it yet."""
        manifest = run.manifest
        folder = layout.of_book(manifest.identity.book).history / run.name
        return cls(folder, manifest.run_id, manifest.identity.sql_sha256)

    @staticmethod
    def runs(layout: Layout) -> list[str]:
        """Return the names of the runs that have a history, be they there still or not.

        Raises:
            StorageError: The folder cannot be read.
        """
        if not layout.history.is_dir():
            return []
        with typed_storage(layout.history):
            return [path.name for path in layout.history.iterdir() if path.is_dir()]

    def days(self) -> list[date]:
        """Return the days that are there, the oldest first, without reading any.

        Raises:
            StorageError: The folder cannot be read.
        """
        if not self.folder.is_dir():
            return []
        found: list[date] = []
        with typed_storage(self.folder):
            for path in self.folder.glob("*.json"):
                with suppress(ValueError):  # a file that somebody else put there
                    found.append(date.fromisoformat(path.stem))
        return sorted(found)

    def read(self, day: date) -> tuple[KpiValue, ...] | None:
        """Return the values of a day; None where there are none, or none that can be trusted.

        Raises:
            StorageError: The file cannot be read.
        """
        path = self._path(day)
        if not path.is_file():
            return None
        with typed_storage(path):
            text = path.read_bytes()
        with suppress(ValueError, KeyError):
            body = _JSON.validate_json(text)
            said = body.pop(_HASH)
            if said == canonical_sha256(body) and self._question(day).items() <= body.items():
                return _VALUES.validate_python(body["values"])
        return None

    def write(self, day: date, values: tuple[KpiValue, ...]) -> None:
        """Keep the values of a day; a reader sees all of them or none.

        Raises:
            StorageError: The disk refused.
        """
        make_folder(self.folder)
        body = {**self._question(day), "values": _VALUES.dump_python(values, mode="json")}
        durable_write(self._path(day), pretty_json({**body, _HASH: canonical_sha256(body)}))

    def _path(self, day: date) -> Path:
        return self.folder / f"{day.isoformat()}.json"

    def _question(self, day: date) -> dict[str, JsonValue]:
        return {"run_id": self.run_id, "sql_sha256": self.sql_sha256, "as_of": day.isoformat()}
