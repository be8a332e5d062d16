"""A real fulmard on loopback, with a token, for the page."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ.get("FULMAR_BUILD", "build/release")) / "bin"
TOKEN = "a-token-for-the-test-of-the-page"
NQN = "nqn.2026-11.io.fulmar:page"
START_SECONDS = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Fulmard:
    """With `tls` its page is there over https as well, with a certificate that nobody vouches for."""

    def __init__(self, tls=False):
        self._folder = tempfile.TemporaryDirectory(prefix="fulmar-page-")
        folder = pathlib.Path(self._folder.name)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        token = folder / "token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o600)
        self._config = folder / "fulmard.json"
        admin = {"unix_socket": "admin.sock",
                 "tcp": {"address": "127.0.0.1", "port": self._port, "token_file": str(token)}}
        if tls:
            port = free_port()
            self.url = f"https://127.0.0.1:{port}/"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "2", "-subj", "/CN=fulmard", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", str(folder / "key.pem"), "-out", str(folder / "rest.pem")],
                           check=True, capture_output=True)
            (folder / "key.pem").chmod(0o600)
            admin["listeners"] = [{"address": "127.0.0.1", "port": port, "certificate": "rest.pem", "key": "key.pem"}]
        self._config.write_text(json.dumps({
            "admin": admin,
            "memory": {"pool_mib": 32},
            "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": free_port()}],
            "devices": [{"name": "ram0", "type": "ram", "size": "16MiB"},
                        {"name": "ram1", "type": "ram", "size": "32MiB"}],
            "subsystems": [{"nqn": NQN, "allow_any_host": True,
                            "namespaces": [{"nsid": 1, "device": "ram0"}]},
                           {"nqn": NQN + "-paused", "paused": True}],
        }))
        self._process = None

    def start(self):
        self._process = subprocess.Popen([str(BIN / "fulmard"), "--config", str(self._config)],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                if self.ask("GET", "/v1/health") == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > end or self._process.poll() is not None:
                raise AssertionError("fulmard does not start")
            time.sleep(0.05)

    def make_token(self, name, role):
        return json.loads(self.answer("POST", "/v1/tokens", {"name": name, "role": role})[1])["token"]

    def ask(self, method, path, body=None):
        """The status of the answer."""
        return self.answer(method, path, body)[0]

    def answer(self, method, path, body=None):
        """Status and text."""
        call = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {"Authorization": "Bearer " + TOKEN}
        if body is not None:
            headers["Content-Type"] = "application/json"
        call.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = call.getresponse()
        status, text = response.status, response.read()
        call.close()
        return status, text

    def stop(self):
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError("fulmard did not stop") from None

    def close(self):
        self.stop()
        self._folder.cleanup()
