"""`make dependency-audit`: known weaknesses of what the lock names, and no green without a look.

pip-audit alone says that it found nothing when it could ask nobody.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from settings.errors import DataRejectedError, SourceUnavailableError, TapewatchError

_LOCK = Path("requirements.txt")


class AuditNotRunError(SourceUnavailableError):
    """There was nobody to ask for advisories."""

    code = "AUDIT_NOT_RUN"


class WeakDependencyError(DataRejectedError):
    """A version in the lock has a known weakness."""

    code = "WEAK_DEPENDENCY"


def main() -> int:
    """Look every locked version up, and return the exit code."""
    try:
        sys.stdout.write(f"{audit(_LOCK)} versions looked up, no known weakness\n")
    except TapewatchError as error:
        sys.stderr.write(f"{error.line()}\n")
        return error.exit_code
    return 0


def audit(lock: Path) -> int:
    """Return how many versions were looked up.

    Raises:
        AuditNotRunError: The advisories could not be reached, or a version was skipped.
        WeakDependencyError: A version has a known weakness.
    """
    options = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    done = subprocess.run(  # noqa: S603 - pip-audit, by its module
        [sys.executable, "-m", "pip_audit", *options, "--format=json", "-r", str(lock)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = read_report(done.stdout)
    if told is None:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise AuditNotRunError(
            f"not run: {last[:200]}", fix="run it where the advisories can be reached"
        )
    return judge(told)


def read_report(text: str) -> list[dict[str, Any]] | None:
    """Return what pip-audit tells of each package; None when it told nothing."""
    try:
        return list(json.loads(text)["dependencies"])
    except (ValueError, LookupError, TypeError):
        return None


def judge(told: list[dict[str, Any]]) -> int:
    """Return how many packages were looked up.

    Raises:
        AuditNotRunError: One was skipped, or there is none.
        WeakDependencyError: One has a known weakness.
    """
    skipped = [one["name"] for one in told if "skip_reason" in one]
    if skipped or not told:
        missed = f"{len(skipped) or 'any'} of {len(told)} packages: {', '.join(skipped[:5])}"
        raise AuditNotRunError(
            f"not run for {missed}",
            fix="run it where the advisories can be reached",
        )
    weak = {f"{one['name']} {one['version']}": one["vulns"] for one in told if one.get("vulns")}
    if weak:
        ids = "; ".join(
            f"{name}: {', '.join(v['id'] for v in found)}" for name, found in weak.items()
        )
        raise WeakDependencyError(
            ids, fix="make lock LOCK_ARGS='--upgrade-package NAME', then make test"
        )
    return len(told)


if __name__ == "__main__":
    sys.exit(main())
