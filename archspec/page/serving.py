"""The page served on this machine, answered by the running Python, which follows one file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, urlsplit

from archspec.page.answer import forget
from archspec.page.requests import reply
from archspec.record import record
from archspec.text.reader import MAX_BYTES

HOST = "127.0.0.1"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".yaml": "text/plain; charset=utf-8",
}
# JSON writes a character of the text in at most six bytes.
_MOST = 6 * MAX_BYTES + 4096
_PATIENCE = 20.0
_OFTEN = 0.1


@record
class SpecOnDisk:
    """A spec on disk."""

    path: Path

    def version(self) -> str:
        """What differs whenever the file was written, or a file beside it, which it may extend."""
        beside = (entry for entry in _entries(self.path.parent) if entry.name.endswith((".yaml", ".yml")))
        states = [f"{entry.name} {stat.st_mtime_ns} {stat.st_size}" for entry in beside if (stat := _stat(entry))]
        try:
            own = self.path.stat()
        except OSError:
            return ""
        return f"{own.st_mtime_ns} {own.st_size} {hash(tuple(sorted(states)))}"

    def text(self) -> str:
        """The text of the file; bytes that are not UTF-8 are replaced, and what is too long for a spec is cut."""
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_BYTES + 1).decode("utf-8-sig", "replace")
        except OSError:
            return ""


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None


class Server(ThreadingHTTPServer):
    """Serves a page for one file, on this machine alone.

    Args:
        path: the spec.
        site: the folder of the page.
        port: the port; 0 for a free one.
    """

    daemon_threads = True

    def __init__(self, path: Path, site: Path, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.followed, self.site = SpecOnDisk(path=path), site
        # The checker keeps the last report, and a check takes a processor to itself.
        self.lock = Lock()
        self.key = secrets.token_urlsafe(16)

    @property
    def address(self) -> str:
        """The address of the page, with a key that other users and pages of this machine do not know."""
        return f"http://{self.host}/{self.key}/"

    @property
    def host(self) -> str:
        """The only `Host` that is answered: the name of another site that resolves to this machine is its own."""
        return f"{HOST}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    """Answers requests for the page, the file and checks."""

    server: Server
    protocol_version = "HTTP/1.1"
    # A client that says nothing must not hold a thread for ever.
    timeout = 60

    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            return
        if path == "file":
            self._send_json(self._file())
        else:
            self._send_static(path or "index.html")

    def do_POST(self) -> None:
        if self._path() != "answer":
            return self.send_error(HTTPStatus.NOT_FOUND)
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/json" or not length.isdecimal():
            return self.send_error(HTTPStatus.BAD_REQUEST)
        if int(length) > _MOST:
            self.close_connection = True
            return self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            wanted = dict(json.loads(self.rfile.read(int(length))))
        except (ValueError, TypeError):
            return self.send_error(HTTPStatus.BAD_REQUEST)
        try:
            with self.server.lock:
                found = reply(wanted, str(self.server.followed.path))
        except (KeyError, ValueError, TypeError):
            return self.send_error(HTTPStatus.BAD_REQUEST)
        except Exception as error:  # noqa: BLE001
            # A mistake of the checker on one text is shown on the page, which goes on.
            return self._send(HTTPStatus.INTERNAL_SERVER_ERROR, repr(error).encode(), "text/plain; charset=utf-8")
        return self._send_json(found)

    def _file(self) -> Mapping[str, str]:
        """The file once it differs from the version that the page has, or after a while as it is."""
        known = parse_qs(urlsplit(self.path).query).get("after", [""])[0]
        end = monotonic() + _PATIENCE
        while (version := self.server.followed.version()) == known and monotonic() < end:
            sleep(_OFTEN)
        if version != known:
            with self.server.lock:
                forget()
        return {"version": version, "file": self.server.followed.path.name, "text": self.server.followed.text()}

    def _path(self) -> str | None:
        """The path after the key; None, after an answer, for a request that is refused."""
        if self.headers.get("Host") != self.server.host:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        before, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not secrets.compare_digest(before.encode(), self.server.key.encode()):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return rest

    def _send_static(self, name: str) -> None:
        found = {path.relative_to(self.server.site).as_posix(): path for path in self.server.site.rglob("*")}
        kind = _KINDS.get(Path(name).suffix)
        if name not in found or kind is None:
            return self.send_error(HTTPStatus.NOT_FOUND)
        return self._send(HTTPStatus.OK, found[name].read_bytes(), kind)

    def _send_json(self, data: Any) -> None:
        self._send(HTTPStatus.OK, json.dumps(data).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", "frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is the user's."""
