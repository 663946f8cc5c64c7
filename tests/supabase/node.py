"""What the tests run on Node: PostgREST's stand-in and the Supabase CLI, both from the lock."""

import shutil
from pathlib import Path

from tests.leaving_out import leave_out

REST = Path(__file__).parent / "rest"
MODULES = REST / "node_modules"


def find_node() -> str:
    """The path of Node, or skip: in CI, where MUST_NOT_SKIP or CI is set, fail."""
    node = shutil.which("node")
    if node is None:
        leave_out("Node is not installed: the REST and CLI tests need version 20 or later")
    if not (MODULES / ".package-lock.json").exists():
        leave_out("the Node packages of the tests are not installed: make install-dev")
    return node


def find_supabase_cli() -> str:
    """The path of the Supabase CLI, or skip like `find_node`."""
    find_node()
    cli = MODULES / "@supabase" / "cli-linux-x64" / "bin" / "supabase"
    if not cli.exists():
        leave_out("the tests lock the Supabase CLI for Linux on x86-64 alone")
    return str(cli)
