"""What a shell is offered behind the cursor."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.cli import main
from archspec.diagnostics import CODES
from archspec.engines.registry import engines
from archspec.spec.shipped import shipped_specs_dir


@pytest.fixture
def offered(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def ask(*words: str) -> list[str]:
        monkeypatch.setenv("_ARCHSPEC_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(("archspec", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit):
            main()
        return [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()]

    return ask


def test_specs_are_shipped_names_and_files(offered, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "small.yaml").touch()
    (folder / "sub" / "notes.txt").touch()
    every = offered("check", "s")
    shipped = [path.stem for path in shipped_specs_dir().glob("s*.yaml")]
    assert set(every) == {*shipped, "small.yaml", "sub/"}
    assert offered("show", "sub/") == ["sub/small.yaml"]
    assert offered("compare", "gpt2", "sub/") == ["sub/small.yaml"]


def test_targets_are_the_engines(offered) -> None:
    assert offered("build", "gpt2", "--target", "o") == [word for word in engines() if word.startswith("o")]
    assert offered("build", "gpt2", "--target", "onnx,in") == ["onnx,inductor"]


def test_codes_and_names(offered) -> None:
    assert offered("explain", "e70") == [code for code in CODES if code.startswith("E70")]
    assert offered("init", "gpt2") == sorted(path.stem for path in shipped_specs_dir().glob("gpt2*.yaml"))
