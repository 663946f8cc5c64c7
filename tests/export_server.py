"""Serve one export on loopback, as Cascade would to a browser that is signed in."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COOKIE = "session=CANARY-COOKIE"
TOKEN = "CANARY-TOKEN"  # noqa: S105 - a text that nobody may tell


@contextmanager
def serve_export(data):
    """Yield the export's URL and the list of the requests that were answered."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            signed_in = self.headers.get("Cookie") == COOKIE and TOKEN in self.path
            seen.append((self.path, signed_in))
            body = data if signed_in else b"<!DOCTYPE html><html>Sign in</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/export?token={TOKEN}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
