"""A stand-in for fulmard's REST endpoint, where the page's own files are served beside answers that a test has written:
drives, which a test machine does not have, and names that nobody should have. Counts what is asked."""

import http.server
import json
import pathlib
import threading

ASSETS = pathlib.Path(__file__).resolve().parents[2] / "src/admin/assets"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
EVENTS_SECONDS = 1.0  # how long a question for events is kept


class Canned:
    def __init__(self, answers):
        self.answers = answers  # by path, or what makes them; may be changed while the page looks
        self.asked = []
        self.events = []
        self._changed = threading.Condition()
        canned = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                try:
                    canned._answer(self)
                except ConnectionError:  # the page has gone meanwhile
                    pass

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def happen(self, **event):
        with self._changed:
            self.events.append({"sequence": len(self.events) + 1, **event})
            self._changed.notify_all()

    def _answer(self, call):
        path, _, query = call.path.partition("?")
        if path in FILES:
            name, kind = FILES[path]
            return self._send(call, (ASSETS / name).read_bytes(), kind)
        self.asked.append(path)
        if path == "/v1/events":
            body = self._wait_for_events(int(query.removeprefix("after=")) if query else None)
        else:
            body = self.answers[path]
            body = body() if callable(body) else body
        return self._send(call, json.dumps(body).encode(), "application/json")

    def _wait_for_events(self, after):
        with self._changed:
            if after is not None and after == len(self.events):
                self._changed.wait(EVENTS_SECONDS)
            return {"events": self.events[after or 0 :], "next": len(self.events), "gap": False}

    @staticmethod
    def _send(call, body, kind):
        call.send_response(200)
        call.send_header("Content-Type", kind)
        call.send_header("Content-Length", str(len(body)))
        call.end_headers()
        call.wfile.write(body)
