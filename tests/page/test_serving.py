"""The page that `archspec view` serves: to this machine alone, and with the file as it is on disk."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from archspec.page import serving
from archspec.page.building import lay_site
from archspec.page.serving import Server
from tests.page.test_answer import LEAK, TEXT


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "site").mkdir()
    lay_site(tmp_path / "site", "server", {})
    (tmp_path / "small.yaml").write_text(TEXT)
    with Server(tmp_path / "small.yaml", tmp_path / "site") as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def asked(
    server: Server, method: str, path: str, body: Any = None, key: str | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    place = f"/{server.key if key is None else key}/{path}"
    given = {"Host": f"127.0.0.1:{server.server_port}", "Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection.request(method, place, None if body is None else json.dumps(body), given)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content, dict(response.headers)


def test_serves_the_page_and_answers(server: Server) -> None:
    status, content, headers = asked(server, "GET", "")
    assert status == 200
    assert b'name="answers" content="server"' in content
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert asked(server, "GET", "app.js")[0] == 200
    request = {"ask": "answer", "text": LEAK, "parts": ["findings"], "sizes": {}}
    status, content, _ = asked(server, "POST", "answer", request)
    assert status == 200
    assert [one["code"] for one in json.loads(content)["findings"]] == ["E420"]


def test_listens_on_this_machine_alone(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.server_port), timeout=1):
        pass


def test_refuses_other_hosts_and_other_keys(server: Server) -> None:
    request = {"ask": "answer", "text": TEXT, "parts": [], "sizes": {}}
    for method, path, body in (("GET", "", None), ("GET", "file?after=", None), ("POST", "answer", request)):
        assert asked(server, method, path, body, Host=f"evil.example:{server.server_port}")[0] == 421
        assert asked(server, method, path, body, Host="127.0.0.1")[0] == 421
        assert asked(server, method, path, body, key="guess")[0] == 404
    assert asked(server, "GET", "", Host=f"127.0.0.1:{server.server_port}")[0] == 200


def test_gives_no_other_file(server: Server) -> None:
    for path in ("../small.yaml", "%2e%2e/small.yaml", "specs/../../small.yaml", "/etc/passwd", "specs"):
        assert asked(server, "GET", path)[0] == 404


def test_refuses_what_is_not_a_request(server: Server) -> None:
    assert asked(server, "POST", "answer", {"text": TEXT})[0] == 400
    assert asked(server, "POST", "answer", [1])[0] == 400
    assert (
        asked(server, "POST", "answer", {"text": TEXT, "parts": [], "sizes": {}}, Content_Type="text/plain")[0] == 400
    )
    assert asked(server, "POST", "other", {})[0] == 404
    assert asked(server, "POST", "answer", Content_Length="2000000")[0] == 413
    assert asked(server, "POST", "answer", Content_Length="-1")[0] == 400
    request = {"ask": "answer", "text": TEXT, "parts": [], "sizes": {}}
    for wrong in ({"parts": ["nothing"]}, {"ask": "eval"}, {"ask": "hover", "at": "x"}, {"sizes": 1}, {"text": None}):
        status = asked(server, "POST", "answer", request | wrong)[0]
        assert status == (200 if wrong == {"text": None} else 400), wrong
    assert asked(server, "POST", "answer", request)[0] == 200
    hover = {"ask": "hover", "text": TEXT, "at": TEXT.index("layers: 2")}
    assert "layers" in json.loads(asked(server, "POST", "answer", hover)[1])["text"]


def test_a_mistake_of_the_checker_is_said_and_the_next_request_answered(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(wanted: object, file: str) -> None:
        raise RuntimeError("lost")

    with monkeypatch.context() as patch:
        patch.setattr(serving, "reply", fails)
        status, content, _ = asked(server, "POST", "answer", {"ask": "answer", "text": TEXT})
    assert (status, content) == (500, b"RuntimeError('lost')")
    assert asked(server, "GET", "")[0] == 200


def test_tells_when_the_file_or_what_it_extends_changes(server: Server) -> None:
    path = server.followed.path
    first = json.loads(asked(server, "GET", "file?after=")[1])
    assert (first["file"], first["text"]) == ("small.yaml", TEXT)
    path.write_text(LEAK)
    second = json.loads(asked(server, "GET", f"file?after={first['version'].replace(' ', '+')}")[1])
    assert second["text"] == LEAK
    assert second["version"] != first["version"]
    (path.parent / "base.yaml").write_text(TEXT)
    third = json.loads(asked(server, "GET", f"file?after={second['version'].replace(' ', '+')}")[1])
    assert third["version"] != second["version"]
    path.unlink()
    assert json.loads(asked(server, "GET", f"file?after={third['version'].replace(' ', '+')}")[1])["text"] == ""
