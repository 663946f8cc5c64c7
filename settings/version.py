"""Which code made a run: the installed version, and the commit when there is a checkout."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def code_version() -> str:
    """Return "<version>+<commit>", or what of it can be known."""
    try:
        installed = version("tapewatch")
    except PackageNotFoundError:
        installed = "unknown"
    commit = _commit(Path(__file__).parent.parent)
    return f"{installed}+{commit}" if commit else installed


def _commit(checkout: Path) -> str | None:
    """Return the commit of the checkout without running git (it may not be installed)."""
    head = checkout / ".git" / "HEAD"
    if not head.is_file():
        return None
    text = head.read_text(encoding="utf-8").strip()
    if not text.startswith("ref: "):
        return text[:12]
    ref = checkout / ".git" / text.removeprefix("ref: ")
    return ref.read_text(encoding="utf-8").strip()[:12] if ref.is_file() else None
