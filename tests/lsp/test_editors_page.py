"""docs/editors.md: its examples run, its settings can be read, and every answer of the server has a row."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

from tests.documents import ROOT, examples

PAGE = ROOT / "docs" / "editors.md"


def settings(language: str) -> str:
    (found,) = (one.text for one in examples(PAGE) if one.language == language)
    return found


def test_python_examples() -> None:
    for text in (one.text for one in examples(PAGE) if one.language == "python"):
        done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == re.findall(r"(?m)^print\(.*\)  # (.*)$", text)


def test_the_settings_start_the_server() -> None:
    code = json.loads(settings("json"))
    assert [code["glspc.server.command"], *code["glspc.server.commandArguments"]] == ["archspec", "lsp"]
    helix = tomllib.loads(settings("toml"))
    server = helix["language-server"]["archspec"]
    assert [server["command"], *server["args"]] == ["archspec", "lsp"]
    assert "archspec" in helix["language"][0]["language-servers"]
    assert 'cmd = { "archspec", "lsp" }' in settings("lua")
    assert '("archspec" "lsp")' in settings("elisp")


def test_brackets_of_the_settings_close() -> None:
    for language in ("lua", "elisp"):
        open_: list[str] = []
        for sign in re.findall(r"[][(){}]", re.sub(r'"[^"\n]*"', "", settings(language))):
            if sign in "([{":
                open_.append({"(": ")", "[": "]", "{": "}"}[sign])
            else:
                assert open_.pop() == sign
        assert open_ == []
