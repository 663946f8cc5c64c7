"""What makes a run the same run: everything that can change a value, and nothing else."""

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID, uuid5

from warehouse.json_text import JsonObject, canonical_json

_NAMESPACE = UUID("a17d3e0c-b039-4565-b8f9-637b9b9a3705")


@dataclass(frozen=True)
class RunIdentity:
    """The question a run answers. Same question, same id, same answer.

    `settings` holds only those that change values, as JSON; the order of the inputs is not
    part of the question.
    """

    environment: str
    portfolio: str
    as_of: date
    input_sha256s: tuple[str, ...]
    contract_version: str
    sql_sha256: str
    settings: JsonObject
    pii_key_id: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_sha256s", tuple(sorted(self.input_sha256s)))

    @property
    def run_id(self) -> str:
        """The UUIDv5 of the question."""
        question = {**vars(self), "as_of": self.as_of.isoformat()}
        return str(uuid5(_NAMESPACE, canonical_json(question).decode("ascii")))

    @property
    def folder_name(self) -> str:
        """The name of the sealed folder: the date and the id's first 8 characters."""
        return f"{self.as_of.isoformat()}-{self.run_id[:8]}"

    @property
    def book(self) -> tuple[str, str]:
        """Whose book this is: runs are compared and superseded only within it."""
        return self.environment, self.portfolio


def sql_sha256(folder: Path) -> str:
    """Return one hash over the names and bytes of every file under `folder`."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix().encode()
        data = path.read_bytes()
        # lengths first, so that no bytes can move between a name and a text unnoticed
        digest.update(b"%d %d " % (len(name), len(data)) + name + data)
    return digest.hexdigest()
