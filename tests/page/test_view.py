"""`archspec view`: one file in the browser, followed on disk."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from archspec.cli import cli
from archspec.diagnostics import SpecError
from tests.browser import browser
from tests.page.test_answer import LEAK, TEXT

ROOT = Path(__file__).resolve().parents[2]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "archspec", *words]


@pytest.mark.slow
def test_follows_the_file_and_never_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT)
    # Without the clients of registries the editor is a plain field.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": "/nowhere", "ARCHSPEC_CACHE": str(tmp_path / "cache")}
    words = command("view", str(path), "--no-open")
    with (
        browser() as opened,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as running,
    ):
        try:
            assert running.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]+/", running.stdout.readline())
            assert address is not None
            tab = opened.tab()
            tab.open(address[0])
            tab.wait_for("document.getElementById('verdict').textContent === '✓ holds'", 60)
            assert tab.evaluate("document.querySelector('textarea').value") == TEXT
            path.write_text(LEAK)
            tab.wait_for("document.getElementById('part-findings').textContent.includes('E420')", 60)
            assert tab.evaluate("document.querySelector('textarea').value") == LEAK
            # An edit on the page is checked, is not written, and is said not to be.
            tab.evaluate("(() => { const t = document.querySelector('textarea'); t.focus(); t.select(); })()")
            tab.type(TEXT.replace("layers: 2", "layers: x"))
            tab.wait_for("document.getElementById('verdict').textContent === '✗ does not hold'", 60)
            assert tab.evaluate("!document.getElementById('unsaved').hidden")
            assert path.read_text() == LEAK
            assert all(one.startswith((address[0], "data:")) for one in tab.requests)
        finally:
            running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert "a plain field in place of the editor" in said
    assert running.returncode == 130


def test_refuses_what_it_cannot_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for missing in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SpecError, match="E208"):
            cli.main(["view", str(missing)], standalone_mode=False)
    assert "follows a file" in CliRunner().invoke(cli, ["view", "-"]).output
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = CliRunner().invoke(cli, ["view", "gpt2", "--port", port, "--no-open"])
    assert found.exit_code == 2
    assert f"{port} cannot be used" in found.output
