"""Open a page in headless Chromium, and ask it over its DevTools socket what became of it."""

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import connect

from tests.leaving_out import leave_out

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",  # it opens one file of ours, in CI as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
_SECONDS = 60


class Page:
    """One open page; `events` is all that the browser told of it so far."""

    def __init__(self, socket):
        self._socket = socket
        self._ids = itertools.count(1)
        self._session = None
        self.events = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """Send one command and return its result; what happens meanwhile is kept as events."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=_SECONDS))
            if answer.get("id") != number:
                self.events.append(answer)
                continue
            assert "error" not in answer, (method, answer["error"])
            return answer["result"]

    def open(self, path):
        """Open a file and wait until it is drawn."""
        self.ask("Page.navigate", url=path.as_uri())
        end = time.monotonic() + _SECONDS
        while self.run("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < end, f"{path} was not loaded"
            time.sleep(0.05)
        return self

    def run(self, script):
        """Run a script in the page and return what it gives."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def resize(self, width, height=900, *, is_mobile=False):
        """Show the page in a window of this size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_mobile}
        self.ask("Emulation.setDeviceMetricsOverride", **size)

    def show_as(self, media="", scheme="light"):
        """Show the page as on this medium, in this colour scheme."""
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=wanted)

    def photograph(self, clip):
        """Return a PNG of a part of the page: x, y, width, height in its own pixels."""
        wanted = {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
        return base64.b64decode(self.ask("Page.captureScreenshot", **wanted)["data"])

    def print(self):
        """Return the page as a PDF, on the paper that its style asks for."""
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True)["data"])

    def requests(self):
        """Return every address that was asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self):
        """Return every line of the console, every error and every breach of the policy."""
        told = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event["params"] for event in self.events if event.get("method") in told]


@contextmanager
def open_browser(folder):
    """Yield a page of a Chromium that starts with an empty profile in `folder`."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        leave_out("no Chromium on this machine: apt install chromium")
    process = subprocess.Popen(  # noqa: S603 - the program was found on the path
        [program, *_FLAGS, f"--user-data-dir={folder}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with connect(_address(folder, process), max_size=None, compression=None) as socket:
            yield Page(socket)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(folder, process):
    told = Path(folder) / "DevToolsActivePort"
    end = time.monotonic() + _SECONDS
    while not (told.is_file() and len(told.read_text().splitlines()) > 1):
        assert process.poll() is None, "Chromium ended at its start"
        assert time.monotonic() < end, "Chromium did not tell its port"
        time.sleep(0.05)
    port, path = told.read_text().splitlines()[:2]
    return f"ws://127.0.0.1:{port}{path}"
