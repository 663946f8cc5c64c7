"""The trials of the sources would notice: each weakening of our own code makes its trial fail.

One line of SABOTAGES adds one: its name, what is patched with what, and the trial that must fail.
"""

import zipfile
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

import blocks.clients.answers
import blocks.clients.cascade
import warehouse.archive_rules
import warehouse.canonical
import warehouse.gate
import warehouse.recognize
import warehouse.source
from settings.errors import DataRejectedError
from tests.trials.fault_server import CSV, GOOD, FaultServer, always, answer, endless
from tests.trials.mutations import GATE, ROW, Mutant, good, render, sent
from tests.trials.test_mutated_tapes import LIMITS, judge, open_bench
from tests.trials.test_source_faults import LOGIN, OPEN, fetch, redirect
from warehouse.archive import list_members
from warehouse.archive_rules import ArchiveLimits
from warehouse.columns import Columns

pytestmark = pytest.mark.slow

_PLAIN_CLIENT = httpx.Client


# ---------------------------------------------------------------- the trials


def an_endless_answer_is_too_big(bench, tmp_path, monkeypatch):
    _refused(endless(OPEN), "TOO_BIG", tmp_path)


def a_cut_answer_leaves_nothing(bench, tmp_path, monkeypatch):
    _refused(always(answer(CSV, length=9999)), "TRUNCATED", tmp_path)


def a_cut_without_a_length_is_seen(bench, tmp_path, monkeypatch):
    _refused(always(OPEN + CSV[:-4]), "TRUNCATED", tmp_path)


def a_login_page_is_no_export(bench, tmp_path, monkeypatch):
    _refused(always(answer(LOGIN)), "AUTH_EXPIRED", tmp_path)


def no_other_host_is_asked(bench, tmp_path, monkeypatch):
    with FaultServer(always(GOOD), host="127.0.0.2") as other:
        _refused(redirect(other.url), "UNEXPECTED_REDIRECT", tmp_path)
        assert other.heads == []


def no_proxy_of_the_environment_is_asked(bench, tmp_path, monkeypatch):
    with FaultServer(always(GOOD)) as proxy, FaultServer(always(GOOD)) as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        fetch(server.url, tmp_path, total_seconds="1")
        assert (len(proxy.heads), len(server.heads)) == (0, 1)


def _refused(mode, code, tmp_path):
    with FaultServer(mode) as server:
        got, _ = fetch(server.url, tmp_path, total_seconds="0.6")
    assert getattr(got, "code", "no error") == code
    assert list((tmp_path / "in").iterdir()) == []


def a_member_that_leads_out_is_refused(bench, tmp_path, monkeypatch):
    _bad_archive(tmp_path, "../loans.csv", 1 << 20)


def an_archive_beyond_its_limit_is_refused(bench, tmp_path, monkeypatch):
    _bad_archive(tmp_path, "loans.csv", 100)


def _bad_archive(tmp_path, name, allowed):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"loan_id\n" * 50)
    try:
        list_members(path, ArchiveLimits(10, allowed))
    except DataRejectedError:
        return
    raise AssertionError("the archive was taken")


def columns_are_found_by_name(bench, tmp_path, monkeypatch):
    rows = good()
    rows["transactions"] = [line[::-1] for line in rows["transactions"]]

    judge(bench, sent(rows), LIMITS["strict"])


def a_cell_that_is_no_number_counts_nowhere(bench, tmp_path, monkeypatch):
    rows = good()
    place = rows["transactions"][0].index("interest")
    for line in rows["transactions"]:
        if "PAID" in line and "PAYMENT" in line:
            line[place] = " 12 "

    judge(bench, sent(rows, ROW, may_pass=True), Decimal("0.4"))


def a_nul_is_refused(bench, tmp_path, monkeypatch):
    files = render(good())
    files["loans"] = files["loans"].replace(b"factoring", b"factor\0ng", 1)

    judge(bench, Mutant(files, frozenset({"TRUNCATED_OR_RAGGED"})), LIMITS["strict"])


def a_file_that_breaks_off_is_refused(bench, tmp_path, monkeypatch):
    files = render(good())
    files["loan_par_balances"] = files["loan_par_balances"][:-1]

    judge(bench, Mutant(files, frozenset({"CUT_FILE"})), LIMITS["strict"])


def too_many_bad_rows_are_refused(bench, tmp_path, monkeypatch):
    rows = good()
    place = rows["schedules"][0].index("interest")
    rows["schedules"][1][place] = "x"

    judge(bench, sent(rows, ROW | GATE), LIMITS["strict"])


# ---------------------------------------------------------------- the weakenings


def a_client_that(**weakened):
    return lambda **chosen: _PLAIN_CLIENT(**{**chosen, **weakened})


def by_position(names, table):
    return Columns({c: n for n, c in enumerate(table.columns)}, tuple(names[len(table.columns) :]))


def without_number_guard(folder, name, read=warehouse.canonical.read_sql):
    sql = read(folder, name)
    return sql.replace("else 3", "else 0") if name == "macros" else sql


def nothing(*_, **__):
    return None


SABOTAGES = {
    "size_cap_dropped": (
        (blocks.clients.cascade, "size_bytes", lambda _: 1 << 60),
        an_endless_answer_is_too_big,
    ),
    "redirects_followed": (
        (httpx, "Client", a_client_that(follow_redirects=True)),
        no_other_host_is_asked,
    ),
    "proxies_of_the_environment": (
        (httpx, "Client", a_client_that(trust_env=True)),
        no_proxy_of_the_environment_is_asked,
    ),
    "part_kept": ((Path, "unlink", nothing), a_cut_answer_leaves_nothing),
    "no_cut_check": (
        (blocks.clients.answers, "_ends", lambda *_: True),
        a_cut_without_a_length_is_seen,
    ),
    "login_page_taken": (
        (blocks.clients.answers, "_judge_text", nothing),
        a_login_page_is_no_export,
    ),
    "traversal_unchecked": (
        (warehouse.archive_rules, "_name_fault", nothing),
        a_member_that_leads_out_is_refused,
    ),
    "sizes_unchecked": (
        (warehouse.archive_rules, "_judge_sizes", nothing),
        an_archive_beyond_its_limit_is_refused,
    ),
    "header_by_position": (
        (warehouse.recognize, "match_columns", by_position),
        columns_are_found_by_name,
    ),
    "number_guard_removed": (
        (warehouse.canonical, "read_sql", without_number_guard),
        a_cell_that_is_no_number_counts_nowhere,
    ),
    "nul_unchecked": ((warehouse.source, "_refuse_damaged", nothing), a_nul_is_refused),
    "cut_unchecked": (
        (warehouse.source, "_refuse_damaged", nothing),
        a_file_that_breaks_off_is_refused,
    ),
    "quarantine_limit_ignored": (
        (warehouse.gate, "_refuse_too_many", nothing),
        too_many_bad_rows_are_refused,
    ),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with open_bench(tmp_path_factory.mktemp("sabotage")) as opened:
        yield opened


@pytest.mark.filterwarnings(  # a client that follows redirects leaves a socket of ours open
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("name", SABOTAGES)
def test_a_trial_of_weakened_code_fails_and_of_ours_passes(name, bench, tmp_path, monkeypatch):
    patch, trial = SABOTAGES[name]
    ours, weakened = tmp_path / "ours", tmp_path / "weakened"
    for folder in (ours, weakened):
        folder.mkdir()

    trial(bench, ours, monkeypatch)

    with monkeypatch.context() as patched:
        patched.setattr(*patch)
        with pytest.raises(AssertionError):
            trial(bench, weakened, monkeypatch)
