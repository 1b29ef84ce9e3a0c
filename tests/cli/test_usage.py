"""What all commands have in common: help, hints, exit statuses, errors as text and as JSON."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archspec.cli import COMMANDS
from tests.cli.conftest import Command

ROOT = Path(__file__).resolve().parent.parent.parent
SPEC_COMMANDS = [("check",), ("show",), ("compile",), ("build", "-o", "bundle")]

BROKEN = {
    "no colon": "archspec 1",
    "tab": "archspec: 1\n\tname: x",
    "open brace": "archspec: 1\ngraph: {a: {b: 1}",
    "list": "- 1\n- 2",
    "empty": "",
    "anchor": "archspec: &a 1\nname: *a",
    "tag": "archspec: !!python/object/apply:os.getcwd []",
    "two documents": "archspec: 1\n---\narchspec: 1",
    "duplicate": "archspec: 1\narchspec: 1",
    "null": "archspec: 1\nname: ~\n",
    "deep": "archspec: 1\nname: " + "[" * 100,
    "unknown keys": "archspec: 1\nnmae: x\ngrpah: {}\n",
    "numbers for maps": "archspec: 1\nname: x\ndims: 3\ninputs: 4\ngraph: 5\noutputs: 6\nrules: 7\n",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help(archspec: Command, name: str) -> None:
    ran = archspec(name, "--help")
    assert ran.status == 0
    assert ran.out.startswith(f"Usage: archspec {name} ")
    options = [line.split() for line in ran.out.partition("Options:")[2].splitlines() if line.startswith("  -")]
    assert options
    assert ["-h,", "--help"] in [option[:2] for option in options]


def test_every_option_says_what_it_is(archspec: Command) -> None:
    from importlib import import_module

    for name in COMMANDS:
        command = import_module(f"archspec.cli.{name}_command").command
        assert command.help[0].isupper()
        assert command.help.strip().endswith(".")
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{name} {parameter.name}"
                assert parameter.help[0].isupper(), parameter.help
                assert parameter.help.endswith("."), parameter.help


def test_without_arguments_the_commands_are_told(archspec: Command) -> None:
    ran = archspec()
    assert ran.status == 2
    assert all(f"  {name} " in ran.out + ran.err for name in COMMANDS)


def test_unknown_command(archspec: Command) -> None:
    ran = archspec("chekc", "small.yaml")
    assert ran.status == 2
    assert "there is no command 'chekc'; did you mean `check`?" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check",), "Missing argument 'SPEC...'"),
        (("check", "small.yaml", "--stric"), "--strict"),
        (("show", "small.yaml", "--depth", "0"), "--depth"),
        (("build", "small.yaml"), "Missing option '-o'"),
        (("build", "small.yaml", "-o", "b", "--dtype", "float8"), "'float8' is not one of"),
        (("run", "bundle"), "Missing option '--inputs'"),
    ],
)
def test_wrong_usage_is_2(archspec: Command, arguments: tuple[str, ...], said: str) -> None:
    ran = archspec(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert said in ran.err


@pytest.mark.parametrize("command", SPEC_COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_1_with_its_place(
    archspec: Command, folder: Path, command: tuple[str, ...], text: str
) -> None:
    (folder / "broken.yaml").write_text(text, encoding="utf-8")
    ran = archspec(command[0], "broken.yaml", *command[1:])
    assert ran.status == 1
    assert ran.out == ""
    assert ran.err.startswith("error[E")
    assert "broken.yaml" in ran.err
    found = archspec(command[0], "broken.yaml", *command[1:], "--json")
    assert found.status == 1
    assert found.err == ""
    assert not found.data["holds"]
    assert [one["code"] for one in found.data["diagnostics"]] == [
        line[6:10] for line in ran.err.splitlines() if line.startswith("error[")
    ]
    assert not (folder / "bundle").exists()


def test_bytes_that_are_no_text(archspec: Command, folder: Path) -> None:
    (folder / "image.yaml").write_bytes(bytes(range(256)))
    assert archspec("check", "image.yaml").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "nothing.yaml"),
        ("check", "nothing"),
        ("show", "."),
        ("explain", "E999"),
        ("init", "gpt3"),
        ("import", "nothing"),
    ],
)
def test_what_does_not_exist_is_1(archspec: Command, arguments: tuple[str, ...]) -> None:
    ran = archspec(*arguments)
    assert ran.status == 1
    assert ran.err.startswith("error[E")
    assert archspec(*arguments, "--json").data["diagnostics"][0]["code"] == ran.err[6:10]


def test_overrides_that_are_wrong_point_at_the_command_line(archspec: Command) -> None:
    ran = archspec("check", "small.yaml", "--set", "layer=3")
    assert ran.status == 1
    assert "--> --set" in ran.err
    assert "did you mean `layers`?" in ran.err

    node = archspec("check", "small.yaml", "--set", "states.attention.mask=all")
    assert node.status == 1
    assert "write `--set graph.states.attention.mask=...`" in node.err


LIGHT = [("check", "small.yaml"), ("show", "small.yaml"), ("list",), ("schema",), ("explain", "E301"), ("init", "gpt2")]


@pytest.mark.parametrize("arguments", LIGHT, ids=lambda arguments: arguments[0])
def test_torch_is_not_loaded(folder: Path, arguments: tuple[str, ...]) -> None:
    watch = (
        "import sys, atexit\n"
        "heavy = ('torch', 'onnx', 'onnxruntime', 'transformers')\n"
        "atexit.register(lambda: sys.stderr.write(' '.join(name for name in heavy if name in sys.modules)))\n"
        "from archspec.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{watch}", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
