"""Which code made a run: the installed version, and the commit when there is a checkout."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CHECKOUT = Path(__file__).parent.parent


@cache
def code_version() -> str:
    """Return "<version>+<commit>", or what of it can be known."""
    try:
        installed = version("tapewatch")
    except PackageNotFoundError:
        installed = "unknown"
    commit = commit_sha()
    return f"{installed}+{commit[:12]}" if commit else installed


def commit_sha(checkout: Path = _CHECKOUT) -> str | None:
    """Return the commit of a checkout without running git (it may not be installed)."""
    git = checkout / ".git"
    if git.is_file():  # of a second work tree: it names the folder of its own
        git = checkout / git.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
    head = git / "HEAD"
    if not head.is_file():
        return None
    text = head.read_text(encoding="utf-8").strip()
    if not text.startswith("ref: "):
        return text
    name, common = text.removeprefix("ref: "), git / "commondir"
    shared = git / common.read_text(encoding="utf-8").strip() if common.is_file() else git
    for ref in (git / name, shared / name):
        if ref.is_file():
            return ref.read_text(encoding="utf-8").strip()
    packed = shared / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
