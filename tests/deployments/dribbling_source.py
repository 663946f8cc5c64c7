"""A source that never ends: a run that asks it is at work for as long as a test needs."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Dribble(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.set()
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.end_headers()
        try:
            while not self.server.ended.is_set():
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.2)
        except OSError:
            pass  # whoever asked has gone

    def log_message(self, *_arguments):
        pass


@contextmanager
def dribbling():
    """Yield the server: its `url`, and the event `asked`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Dribble)
    server.asked, server.ended = threading.Event(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/export"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
