"""Prove that a run folder is still what was sealed, or name every way in which it is not."""

from dataclasses import dataclass
from pathlib import Path

from settings.errors import TapewatchError
from warehouse.durable import sha256_file
from warehouse.manifest import MANIFEST, FileFacts, HashMismatchError, Manifest, load_manifest
from warehouse.retention.log import removed_manifests
from warehouse.storage_errors import typed_storage


@dataclass(frozen=True)
class Problem:
    """One way in which a run folder is not what was sealed."""

    folder: str
    file: str
    what: str


def verify_folder(folder: Path) -> list[Problem]:
    """Return every way in which a run folder is not what was sealed; empty means sound."""
    try:
        manifest = load_manifest(folder)
    except TapewatchError as error:
        return [Problem(folder.name, MANIFEST, error.message)]
    found = {p.name for p in folder.iterdir()} - {MANIFEST}
    problems = [(n, "is in the manifest and not in the folder") for n in manifest.files]
    problems = [p for p in problems if p[0] not in found]
    problems += [(n, "is in the folder and not in the manifest") for n in found - {*manifest.files}]
    for name in found & {*manifest.files}:
        problems += [(name, what) for what in _compare(folder / name, manifest.files[name])]
    if folder.name != manifest.identity.folder_name:
        problems.append((MANIFEST, f"belongs to {manifest.identity.folder_name}"))
    problems += broken_link(folder, manifest)
    return [Problem(folder.name, name, what) for name, what in sorted(problems)]


def _compare(path: Path, sealed: FileFacts) -> list[str]:
    try:
        with typed_storage(path):
            size = path.stat().st_size
        if size != sealed.bytes:
            return [f"has {size:,} bytes, was sealed with {sealed.bytes:,}"]
        same = sha256_file(path) == sealed.sha256
    except TapewatchError as error:
        return [error.message]
    return [] if same else ["has other bytes than were sealed"]


def broken_link(folder: Path, manifest: Manifest) -> list[tuple[str, str]]:
    """Return how a run does not fit the one it was compared with; empty when it does."""
    if manifest.previous_run is None:
        return []  # the first run
    before = folder.parent / manifest.previous_run / MANIFEST
    if before.is_file() and sha256_file(before) == manifest.prev_manifest_sha256:
        return []
    removed = {*removed_manifests(folder.parent.parent, manifest.previous_run)}
    if manifest.prev_manifest_sha256 in removed or not (removed or before.is_file()):
        return []  # retention has removed it, and says what it was, where it was recorded
    return [(MANIFEST, f"{manifest.previous_run} was rewritten after this run was compared to it")]


def check_folder(folder: Path) -> Manifest:
    """Return the manifest of a folder after checking every byte of it.

    Raises:
        HashMismatchError: It is not what was sealed; the evidence lists every problem.
        LayoutTooNewError: A newer Tapewatch wrote it.
    """
    manifest = load_manifest(folder)
    problems = verify_folder(folder)
    if problems:
        raise _mismatch(folder, [f"{p.file} {p.what}" for p in problems])
    return manifest


def check_file(folder: Path, manifest: Manifest, name: str) -> Path:
    """Return the path of one sealed file after checking every byte of it.

    Raises:
        HashMismatchError: It is missing, was not sealed, or is not what was sealed.
    """
    sealed = manifest.files.get(name)
    problems = ["is not in the manifest"] if sealed is None else _compare(folder / name, sealed)
    if problems:
        raise _mismatch(folder, [f"{name} {what}" for what in problems])
    return folder / name


def _mismatch(folder: Path, problems: list[str]) -> HashMismatchError:
    return HashMismatchError(
        f"{folder}: {problems[0]} ({len(problems)} problems)",
        fix=f"move {folder} out of runs, then run the tape of that day again",
        evidence={"problems": problems},
    )
