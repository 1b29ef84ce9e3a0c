"""A spec that does not hold leaves by no entrance: the diagnostics are those of `check`, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec as package
from archspec.checking import check
from archspec.diagnostics import SpecError, render
from tests.checking.entrances import BAD, COMMANDS, GOOD, PYTHON, write
from tests.cli.conftest import Command, archspec, folder

__all__ = ["archspec", "folder"]


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "cache" not in path.parts}


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("entrance", PYTHON)
def test_python(entrance: str, fault: str, tmp_path: Path) -> None:
    path = write(tmp_path, BAD[fault])
    before, wanted = written(tmp_path), check(path).diagnostics
    with pytest.raises(SpecError) as raised:
        PYTHON[entrance](path, False)
    assert raised.value.diagnostics == wanted
    assert written(tmp_path) == before


@pytest.mark.parametrize("fault", BAD)
@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, fault: str, archspec: Command, folder: Path) -> None:
    path = write(folder, BAD[fault])
    before, wanted = written(folder), check(path.name).diagnostics
    ran = archspec(*COMMANDS[command])
    assert ran.status == 1
    assert ran.err == render(wanted, color=False) + "\n"
    assert ran.out == ""
    assert written(folder) == before
    assert [one["message"] for one in archspec(*COMMANDS[command], "--json").data["diagnostics"]] == [
        one.message for one in wanted
    ]


@pytest.mark.parametrize("fault", BAD)
def test_a_spec_is_accepted_on_request_and_says_so(fault: str, tmp_path: Path) -> None:
    found = check(write(tmp_path, BAD[fault]))
    checked = found.accept(unproved=True)
    assert checked.unproved
    assert checked.diagnostics == found.diagnostics
    assert type(package.compile(checked)).__name__ == "Small"


def test_a_spec_that_holds_is_never_called_unproved(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert check(path).diagnostics == ()
    assert not check(path).accept(unproved=True).unproved
    assert not check(path).accept().unproved


def test_warnings_do_not_refuse(tmp_path: Path) -> None:
    path = write(tmp_path, {**GOOD, "rule": "within: {output: logits, input: source, mask: causal}"})
    assert {one.severity for one in check(path).diagnostics} == {"warning"}
    assert package.compile(path) is not None
