"""The floor under branch coverage holds: a suite that reaches too little fails."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = """
def told(a, b, c, d):
    words = []
    if a:
        words.append("a")
    if b:
        words.append("b")
    if c:
        words.append("c")
    if d:
        words.append("d")
    return words
"""
EVERY_LINE = "assert told(1, 1, 1, 1) == ['a', 'b', 'c', 'd']"
EVERY_BRANCH = f"{EVERY_LINE}; assert told(0, 0, 0, 0) == []"


def run_suite(folder, claim):
    """Run a suite of one test under our own coverage settings, as `make test-cov` does."""
    text = (ROOT / "pyproject.toml").read_text()
    [settings] = re.findall(r"(\[tool\.coverage\.run\].*?)\n\[tool\.ruff\]", text, re.DOTALL)
    assert "branch = true" in settings
    (folder / "pyproject.toml").write_text(
        re.sub(r"^source = .*$", 'source = ["sample"]', settings, flags=re.MULTILINE)
    )
    (folder / "sample").mkdir()
    (folder / "sample" / "__init__.py").write_text(SAMPLE)
    test = f"from sample import told\n\n\ndef test():\n    {claim}\n"
    (folder / "test_sample.py").write_text(test)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [options] = re.findall(r"^test-cov:.*\n\t\$\(PYTEST\) (.+)$", makefile, re.MULTILINE)
    return subprocess.run(  # noqa: S603 - pytest on a suite of our own
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options.split()],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_floor_fails_a_suite_that_reaches_too_little(tmp_path):
    done = run_suite(tmp_path, EVERY_LINE)  # 11 lines and 4 of 8 branches: 15 / 19

    assert "1 passed" in done.stdout
    assert "Required test coverage of 85.0% not reached. Total coverage: 78.95%" in done.stdout
    assert done.returncode == 1


@pytest.mark.slow
def test_the_floor_lets_a_suite_pass_that_reaches_enough(tmp_path):
    done = run_suite(tmp_path, EVERY_BRANCH)

    assert "Required test coverage of 85.0% reached. Total coverage: 100.00%" in done.stdout
    assert done.returncode == 0
