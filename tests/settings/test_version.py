"""The commit is read from the checkout, however git keeps it."""

import pytest

from settings.version import commit_sha

SHA = "3f" * 20


@pytest.fixture
def checkout(tmp_path):
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    return tmp_path


def test_a_branch_in_a_file_of_its_own(checkout):
    (checkout / ".git/refs/heads/main").write_text(f"{SHA}\n")

    assert commit_sha(checkout) == SHA


def test_a_branch_that_git_has_packed(checkout):
    packed = f"# pack-refs with: peeled\n{'0' * 40} refs/heads/other\n{SHA} refs/heads/main\n"
    (checkout / ".git/packed-refs").write_text(packed)

    assert commit_sha(checkout) == SHA


def test_a_commit_that_is_on_no_branch(checkout):
    (checkout / ".git/HEAD").write_text(f"{SHA}\n")

    assert commit_sha(checkout) == SHA


def test_a_second_work_tree(checkout, tmp_path):
    own = checkout / ".git/worktrees/second"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/main\n")
    (own / "commondir").write_text("../..\n")
    (checkout / ".git/refs/heads/main").write_text(f"{SHA}\n")
    second = tmp_path / "second"
    second.mkdir()
    (second / ".git").write_text(f"gitdir: {own}\n")

    assert commit_sha(second) == SHA


def test_what_is_no_checkout_has_none(tmp_path):
    assert commit_sha(tmp_path) is None
