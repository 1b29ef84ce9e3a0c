"""The README's examples do what it says that they do."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from archspec.cli import COMMANDS, cli
from tests.documents import ROOT, Example, examples, run

README = ROOT / "README.md"


def takes_torch(example: Example) -> bool:
    return example.language == "python" or any(one in example.text for one in ("archspec build", "torchrun"))


def test_examples_that_need_no_torch(tmp_path: Path) -> None:
    for example in examples(README):
        if not takes_torch(example):
            run(example, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorrt_rtx") is None, reason="needs the extra `rtx`")
def test_every_example(tmp_path: Path) -> None:
    for example in examples(README):
        run(example, tmp_path)


def test_commands_without_output_are_commands() -> None:
    """Every `archspec ...` of an `sh` block is one that the command line understands."""
    found = [line for one in examples(README) if one.language == "sh" for line in one.text.splitlines()]
    for line in found:
        name, *arguments = shlex.split(line.partition(" > ")[0], comments=True)
        if name == "archspec":
            parent = cli.make_context("archspec", arguments, resilient_parsing=True)
            command = cli.get_command(parent, arguments[0])
            assert command is not None, line
            command.make_context(arguments[0], arguments[1:], parent=parent)


def test_every_command_is_named() -> None:
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"`archspec (\w+)", text)) == set(COMMANDS)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", README.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_tools_that_it_names_can_be_run() -> None:
    for name in set(re.findall(r"^(tools/\w+)", README.read_text(encoding="utf-8"), re.MULTILINE)):
        assert (ROOT / name).stat().st_mode & 0o111, name
