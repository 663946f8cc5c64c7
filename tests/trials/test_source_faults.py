"""Every way Cascade can fail over HTTP: the error, the hits the server saw, and nothing left."""

import gzip
import logging
import ssl
import subprocess
import sys
import time

import pytest

from blocks.clients.cascade import CascadeClient
from blocks.clients.guard import Guard
from settings.errors import TapewatchError
from settings.load import load_settings
from tests.certificates import make_certificate
from tests.trials.fault_server import (
    CSV,
    GOOD,
    ZIP,
    FaultServer,
    always,
    answer,
    drip,
    endless,
    hang,
    reset,
    then_good,
)

LOGIN = b"<!DOCTYPE html><html><form action=/login><input type=password></form></html>"
OPEN = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = gzip.compress(CSV)


def redirect(to, status="302 Found"):
    return always(answer(b"", status, f"Location: {to}"))


def typed(body, *headers):
    return always(answer(body, "200 OK", *headers))


def status(line, *headers):
    return always(answer(b"", line, *headers))


# name: (what the server does, code or None where all is well, exit code, hits)
MODES = {
    "S01 401": (status("401 Unauthorized"), "AUTH_EXPIRED", 77, 1),
    "S01 403": (status("403 Forbidden"), "AUTH_EXPIRED", 77, 1),
    "S02 302 login": (redirect("/login?next=x"), "AUTH_EXPIRED", 77, 1),
    "S02 303 sign_in": (redirect("/users/sign_in", "303 See Other"), "AUTH_EXPIRED", 77, 1),
    "S02 307 auth": (redirect("/auth", "307 Temporary Redirect"), "AUTH_EXPIRED", 77, 1),
    "S03 file": (redirect("file:///login"), "UNEXPECTED_REDIRECT", 69, 1),
    "S03 loop": (redirect("/export"), "UNEXPECTED_REDIRECT", 69, 1),
    "S03 no location": (status("302 Found"), "UNEXPECTED_REDIRECT", 69, 1),
    "S03 no URL": (redirect("http://[x"), "UNEXPECTED_REDIRECT", 69, 1),
    "S03 300": (status("300 Multiple Choices"), "UNEXPECTED_REDIRECT", 69, 1),
    "S03 304": (always(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "UNEXPECTED_REDIRECT", 69, 1),
    "S04 html": (typed(LOGIN, "Content-Type: text/html"), "AUTH_EXPIRED", 77, 1),
    "S04 html as csv": (typed(LOGIN, "Content-Type: text/csv"), "AUTH_EXPIRED", 77, 1),
    "S04 html after a BOM": (typed(b"\xef\xbb\xbf \n" + LOGIN), "AUTH_EXPIRED", 77, 1),
    "S05 json": (typed(b'{"error": "canary-cookie"}'), "NOT_A_LOAN_TAPE", 65, 1),
    "S05 json list": (typed(b'[{"name": "x"}]'), "NOT_A_LOAN_TAPE", 65, 1),
    "S05 xml": (typed(b"<?xml version='1.0'?><Error/>"), "NOT_A_LOAN_TAPE", 65, 1),
    "S07 2099": (
        status("429 Too Many", "Retry-After: Fri, 31 Dec 2099 23:59:59 GMT"),
        "RATE_LIMITED",
        75,
        1,
    ),
    "S07 10^9": (status("429 Too Many", "Retry-After: 1000000000"), "RATE_LIMITED", 75, 1),
    "S07 garbage": (status("429 Too Many", "Retry-After: soon"), "RATE_LIMITED", 75, 3),
    "S07 5000 digits": (
        status("429 Too Many", f"Retry-After: {'9' * 5000}"),
        "RATE_LIMITED",
        75,
        3,
    ),
    "S08 500 twice": (then_good(answer(b"", "500 Error")), None, 0, 3),
    "S08 502 twice": (then_good(answer(b"", "502 Error")), None, 0, 3),
    "S08 503 twice": (then_good(answer(b"", "503 Error")), None, 0, 3),
    "S09 500 for ever": (status("500 Error"), "CASCADE_UNAVAILABLE", 69, 3),
    "S12 body drips": (drip(OPEN), "TOO_SLOW", 69, 1),
    "S12 header drips": (drip(b"HTTP/1.1 200 OK\r\nX: "), "TOO_SLOW", 69, 1),
    "S12 chunk size drips": (drip(CHUNKED + b"5;x="), "TOO_SLOW", 69, 1),
    "S13 hang": (hang(), "TOO_SLOW", 69, 3),
    "S13 hang in the body": (hang(answer(CSV, length=9999)), "TOO_SLOW", 69, 3),
    "S14 RST": (reset(answer(CSV, length=9999)), "TRUNCATED", 69, 3),
    "S14 FIN": (always(answer(CSV, length=9999)), "TRUNCATED", 69, 3),
    "S14 FIN of a ZIP": (always(answer(ZIP[:99], length=len(ZIP))), "TRUNCATED", 69, 3),
    "S14 chunk cut": (always(CHUNKED + b"ff\r\nloan_id"), "TRUNCATED", 69, 3),
    "S14 last chunk missing": (always(CHUNKED + b"5\r\na,b\n1\r\n"), "TRUNCATED", 69, 3),
    "S14 cut once": (then_good(answer(CSV, length=9999), 1), None, 0, 2),
    "S15 no length, cut": (always(OPEN + CSV[:-4]), "TRUNCATED", 69, 3),
    "S15 no length, ZIP cut": (always(OPEN + ZIP[:99]), "TRUNCATED", 69, 3),
    "S15 no length, Parquet cut": (always(OPEN + b"PAR1xxx"), "TRUNCATED", 69, 3),
    "S15 no length, whole": (always(OPEN + CSV), None, 0, 1),
    "S16 gzip": (typed(PACKED, "Content-Encoding: gzip"), "UNEXPECTED_ENCODING", 69, 1),
    "S16 gzip cut": (typed(PACKED[:40], "Content-Encoding: gzip"), "UNEXPECTED_ENCODING", 69, 1),
    "S16 br": (typed(b"x", "Content-Encoding: br"), "UNEXPECTED_ENCODING", 69, 1),
    "S16 bare gzip": (typed(PACKED), "NOT_A_LOAN_TAPE", 65, 1),
    "S16 identity": (typed(CSV, "Content-Encoding: identity"), None, 0, 1),
    "S17 0 bytes": (typed(b""), "EMPTY_EXPORT", 65, 1),
    "S17 204": (always(b"HTTP/1.1 204 No Content\r\n\r\n"), "EMPTY_EXPORT", 65, 1),
    "S17 header only": (typed(b"loan_id,balance\r\n"), "EMPTY_EXPORT", 65, 1),
    "S18 endless": (endless(OPEN), "TOO_BIG", 65, 1),
    "S18 too long": (always(answer(b"a", length=10**12)), "TOO_BIG", 65, 1),
    "S19 status line": (always(b"HELLO\r\n\r\n"), "CASCADE_UNAVAILABLE", 69, 3),
    "S19 300 KB header": (
        always(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000 + b"\r\n\r\n"),
        "CASCADE_UNAVAILABLE",
        69,
        3,
    ),
    "S19 nothing": (always(b""), "CASCADE_UNAVAILABLE", 69, 3),
    "404": (status("404 Not Found"), "UNEXPECTED_STATUS", 69, 1),
    "a CSV": (always(GOOD), None, 0, 1),
    "a ZIP": (typed(ZIP), None, 0, 1),
}


class Log:
    def __init__(self):
        self.lines = []

    def info(self, event, **facts):
        self.lines.append((event, facts))

    warning = info


def settings_for(url, **more):
    env = {
        "TAPEWATCH_PII_KEY": "k" * 16,
        "CASCADE_SESSION_COOKIE": "session=canary-cookie",
        "CASCADE_EXPORT_URL": url,
        "TAPEWATCH_CASCADE__TOTAL_SECONDS": "1",
        "TAPEWATCH_CASCADE__READ_SECONDS": "0.2",
        "TAPEWATCH_CASCADE__MAX_BYTES": "1MB",
    }
    named = {f"TAPEWATCH_CASCADE__{name.upper()}": value for name, value in more.items()}
    return load_settings(env | named).cascade


def fetch(url, tmp_path, *, sleep=lambda seconds: None, total_seconds="4", **more):
    """Return the file or the error, and the log's lines."""
    folder, log = tmp_path / "in", Log()
    folder.mkdir(exist_ok=True)
    settings = settings_for(url, total_seconds=total_seconds, **more)
    client = CascadeClient(settings, tmp_path / "state", sleep=sleep)
    try:
        return client.fetch(folder, log), log
    except TapewatchError as error:
        return error, log


@pytest.mark.slow
@pytest.mark.parametrize("name", MODES)
def test_each_fault_has_its_outcome_and_leaves_nothing_behind(name, tmp_path, caplog):
    mode, code, exit_code, hits = MODES[name]
    limit = 0.6 if name.startswith("S12") else 4
    started = time.monotonic()
    with caplog.at_level(logging.DEBUG), FaultServer(mode) as server:
        got, log = fetch(server.url, tmp_path, total_seconds=str(limit))
        seconds = time.monotonic() - started

    left = sorted(path.name for path in (tmp_path / "in").iterdir())
    if code is None:
        assert not isinstance(got, TapewatchError), got
        assert left == [got.name]
        assert got.stat().st_mode & 0o777 == 0o600
        assert got.read_bytes() in (CSV, ZIP)
    else:
        assert (got.code, got.exit_code, got.can_heal) == (code, exit_code, False)
        assert left == []
    assert seconds < limit + 2  # a drip lasts 20 s
    assert len(server.heads) == hits
    assert all(head.startswith(b"GET /export?token=canary-token") for head in server.heads)
    assert all(b"\r\nAccept-Encoding: identity\r\n" in head for head in server.heads)
    told = f"{got!r} {getattr(got, 'fix', '')} {getattr(got, 'evidence', '')} {log.lines}"
    state = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert "canary" not in told + caplog.text + state.decode()


def test_a_redirect_to_another_host_is_never_followed(tmp_path):
    with (
        FaultServer(always(GOOD), host="127.0.0.2") as other,
        FaultServer(redirect(other.url)) as server,
    ):
        got, _ = fetch(server.url, tmp_path)

    assert got.code == "UNEXPECTED_REDIRECT"
    assert (len(server.heads), other.heads) == (1, [])


@pytest.mark.slow
def test_a_wait_that_the_server_asks_for_is_kept(tmp_path):
    mode = then_good(answer(b"", "429 Too Many", "Retry-After: 1"), 1)
    with FaultServer(mode) as server:
        got, log = fetch(server.url, tmp_path, sleep=time.sleep, total_seconds="5")

    assert got.name == "cascade_export.csv"
    assert server.times[1] - server.times[0] >= 1
    assert ("cascade retry", {"wait_seconds": 1.0, "request": 2}) in log.lines


def test_an_open_breaker_sends_nothing_also_after_a_restart(tmp_path):
    with FaultServer(status("500 Error")) as server:
        first, _ = fetch(server.url, tmp_path)
        second, _ = fetch(server.url, tmp_path)

    assert (first.code, second.code) == ("CASCADE_UNAVAILABLE", "CIRCUIT_OPEN")
    assert len(server.heads) == 3
    assert "retry after " in second.message


class Clock:
    def __init__(self, now=1_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


def test_the_breaker_lets_one_probe_through_after_its_time(tmp_path):
    clock = Clock()
    guard = Guard(settings_for("/x"), tmp_path, clock)
    for _ in range(3):
        guard.admit()
        is_open = guard.record(failed=True)
    clock.now += 121

    assert is_open
    assert guard.admit() == 0
    with pytest.raises(TapewatchError, match="retry after"):
        guard.admit()
    assert guard.record(failed=True)
    with pytest.raises(TapewatchError, match="retry after"):
        guard.admit()
    clock.now += 121
    guard.admit()
    assert not guard.record(failed=False)
    assert guard.admit() == 0


def test_a_clock_set_back_keeps_the_breaker_open_no_longer_than_its_time(tmp_path):
    clock = Clock()
    guard = Guard(settings_for("/x"), tmp_path, clock)
    for _ in range(3):
        guard.admit()
        guard.record(failed=True)
    clock.now -= 10_000
    with pytest.raises(TapewatchError, match="retry after"):
        guard.admit()
    clock.now += 121

    assert guard.admit() == 0


def test_no_minute_has_more_requests_than_allowed_whoever_sends_them(tmp_path):
    clock, sent = Clock(), []
    guards = [Guard(settings_for("/x"), tmp_path, clock) for _ in range(2)]
    for number in range(100):
        while wait := guards[number % 2].admit():
            clock.now += wait
        sent.append(clock.now)
        clock.now += 0.1

    assert max(sum(at <= other < at + 60 for other in sent) for at in sent) == 60


def test_a_rotten_state_is_an_empty_one(tmp_path):
    (tmp_path / "cascade_guard.json").write_bytes(b'{"failures": NaN')

    assert Guard(settings_for("/x"), tmp_path, Clock()).admit() == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://app.cascadedebt.com/x",
        "https://good.invalid/x",
        "https://app.cascadedebt.com@evil.invalid/x",
        "https://ana:canary@127.0.0.1/x",
        "//evil.invalid/x",
        "/\\evil.invalid/x",
        "https:\\\\evil.invalid\\x",
        "https://app.cascadedebt.com./x",
        "https://[::ffff:127.0.0.1]/x",
        "https://10.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://127.0.0.1.evil.invalid/x",
        "https://127.0.0.1:99999/x",
        "https:///x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "export.zip",
    ],
)
def test_a_url_that_could_lead_the_cookie_elsewhere_is_refused(url, tmp_path):
    got, log = fetch(url, tmp_path)

    assert (got.code, got.exit_code) == ("EXPORT_URL_REFUSED", 78)
    assert "evil" not in got.line()
    assert "canary" not in got.line()
    assert log.lines == []


def test_a_private_address_is_refused_even_where_it_is_allowed(tmp_path):
    got, _ = fetch("https://10.0.0.1/x", tmp_path, allowed_hosts='["10.0.0.1"]')

    assert got.code == "EXPORT_URL_REFUSED"


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "ALL_PROXY", "HTTPS_PROXY"])
def test_the_proxies_of_the_environment_are_not_used(proxy, tmp_path, monkeypatch):
    monkeypatch.setenv(proxy, "http://127.0.0.1:1")
    with FaultServer(always(GOOD)) as server:
        got, _ = fetch(server.url, tmp_path)

    assert got.read_bytes() == CSV


def test_a_refused_connection_is_tried_again(tmp_path):
    with FaultServer(always(GOOD)) as server:
        pass
    got, log = fetch(server.url, tmp_path)

    assert (got.code, got.exit_code) == ("CASCADE_UNREACHABLE", 69)
    assert [event for event, _ in log.lines].count("cascade request failed") == 3


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    def make(name, days="1"):
        made = make_certificate(tmp_path_factory.mktemp("tls"), name, days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.file, made.key)
        return context, str(made.file)

    return make


@pytest.mark.parametrize(
    ("name", "is_trusted", "code"),
    [
        ("IP:127.0.0.1", True, None),
        ("IP:127.0.0.1", False, "TLS_FAILED"),
        ("IP:127.0.0.9", True, "TLS_FAILED"),
        ("email:ana@127.0.0.1", True, "TLS_FAILED"),
    ],
    ids=["own CA", "self-signed", "wrong host", "no host"],
)
def test_a_server_must_prove_who_it_is(name, is_trusted, code, tmp_path, certificate):
    context, file = certificate(name)
    with FaultServer(always(GOOD), tls=context) as server:
        got, _ = fetch(server.url, tmp_path, **({"ca_file": file} if is_trusted else {}))

    assert getattr(got, "code", None) == code
    assert len(server.heads) == (0 if code else 1)


MEASURED = """
import sys
from pathlib import Path
from tests.trials.test_source_faults import Log, settings_for
from blocks.clients.cascade import CascadeClient
settings = settings_for(sys.argv[1], max_bytes="1GB", total_seconds="60", read_seconds="5")
path = CascadeClient(settings, Path(sys.argv[2], "state")).fetch(Path(sys.argv[2]), Log())
# not ru_maxrss: that begins with what the process that started this one had
[peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
sys.stdout.write(f"{path.stat().st_size} {peak.split()[1]}")
"""


@pytest.mark.slow
def test_a_large_export_takes_no_more_memory_than_a_small_one(tmp_path, request):
    chunk, times = b"L1,100.00\n" * 10_000, 3_000  # 300 MB

    def large(conn, hit):
        conn.sendall(answer(b"", length=len(chunk) * times))
        for _ in range(times):
            conn.sendall(chunk)

    with FaultServer(large) as server:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", MEASURED, server.url, str(tmp_path)],
            cwd=request.config.rootpath,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    size, kilobytes = map(int, done.stdout.split())
    assert size == 300_000_000
    assert kilobytes < 150_000
