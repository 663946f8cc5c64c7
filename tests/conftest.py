"""What every test starts from: no setting of this machine, and a Prefect that stays quiet.

Prefect reads its environment when it is imported, so this is set before any test module is.
"""

import atexit
import os
import shutil
import tempfile

import pytest

KILL_TRIALS = 60
FLOWS = "tests/flows/"

pytest_plugins = ["tests.postgres", "tests.supabase.rest_server"]


def _forget_the_machine() -> None:
    for name in list(os.environ):
        if name.startswith(("TAPEWATCH_", "PREFECT_")) or name == "PIPELINE_ENV":
            del os.environ[name]
    home = tempfile.mkdtemp(prefix="tapewatch-prefect-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ |= {
        "PREFECT_HOME": home,
        "PREFECT_API_URL": "",  # empty outranks a .env file in the working directory, unset not
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # The default of 20 s is too short for a loaded machine.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    }


_forget_the_machine()


def pytest_addoption(parser):
    told = "how many runs tests/trials kill: few in the suite, many in `make soak`"
    parser.addoption("--trials", type=int, default=KILL_TRIALS, help=told)


def pytest_collection_modifyitems(items):
    """Begin with the files that hold slow tests: quick ones fill the end of every worker."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config, log):
    """Give a file to one worker, which makes its fixtures once, and all flows to one Prefect."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::", 1)[0]
            return FLOWS if file.startswith(FLOWS) else file

    config.option.loadscopereorder = False  # by the number of tests: the long trials would be last
    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter):
    """Say how many kills the trials really delivered."""
    ended = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    kills = [value for report in ended for name, value in report.user_properties if name == "kills"]
    if kills:
        terminalreporter.write_line(f"kill trials: {len(kills)}, SIGKILLs delivered: {sum(kills)}")
