"""Files that commands write, and what they read from standard input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import SMALL, Command
from tests.documents import ROOT


def test_a_file_is_replaced_whole_and_keeps_its_mode(archspec: Command, folder: Path) -> None:
    target = folder / "model.py"
    target.write_text("old")
    target.chmod(0o604)
    assert archspec("compile", "small.yaml", "-o", "model.py").status == 0
    assert target.read_text().startswith('"""small')
    assert target.stat().st_mode & 0o777 == 0o604
    assert not [path for path in folder.iterdir() if path.name.startswith(".model")]


def test_a_new_file_has_the_mode_of_new_files(archspec: Command, folder: Path) -> None:
    before = os.umask(0o027)
    try:
        assert archspec("compile", "small.yaml", "-o", "model.py").status == 0
    finally:
        os.umask(before)
    assert (folder / "model.py").stat().st_mode & 0o777 == 0o640


def test_a_link_is_followed(archspec: Command, folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "model.py").symlink_to("elsewhere/real.py")
    assert archspec("compile", "small.yaml", "-o", "model.py").status == 0
    assert (folder / "model.py").is_symlink()
    assert (folder / "elsewhere" / "real.py").read_text().startswith('"""small')


@pytest.mark.parametrize("name", ["pipe", "folder"])
def test_what_is_not_a_regular_file_is_left_alone(archspec: Command, folder: Path, name: str) -> None:
    if name == "pipe":
        os.mkfifo(folder / "pipe.svg")
    else:
        (folder / "folder.svg").mkdir()
    before = (folder / f"{name}.svg").stat()
    ran = archspec("show", "small.yaml", "--svg", f"{name}.svg")
    assert ran.status == 1
    assert f"cannot write {name}.svg: it is not a regular file" in ran.err
    assert (folder / f"{name}.svg").stat().st_ino == before.st_ino


@pytest.mark.parametrize("link", [False, True])
def test_an_output_never_replaces_an_input(archspec: Command, folder: Path, link: bool) -> None:
    name = "small.yaml"
    if link:
        (folder / "model.py").symlink_to("small.yaml")
        name = "model.py"
    ran = archspec("compile", "small.yaml", "-o", name)
    assert ran.status == 1
    assert f"cannot write {name}: the command reads it as `spec`" in ran.err
    assert (folder / "small.yaml").read_text() == SMALL


def test_the_inputs_of_a_run_are_not_its_output(archspec: Command, folder: Path) -> None:
    np.savez(folder / "x.npz", ids=np.zeros((1, 4), np.int64))
    assert archspec("build", "small.yaml", "-o", "bundle", "--no-cache").status == 0
    ran = archspec("run", "bundle", "--inputs", "x.npz", "--output", "x.npz")
    assert (ran.status, "the command reads it as `inputs`" in ran.err) == (1, True)
    np.savez(folder / "bundle" / "old.npz", ids=np.zeros(1))
    ran = archspec("run", "bundle", "--inputs", "x.npz", "--output", "bundle/old.npz")
    assert (ran.status, "the command reads it as `bundle`" in ran.err) == (1, True)
    assert archspec("run", "bundle", "--inputs", "x.npz", "--output", "y.npz").status == 0
    with np.load(folder / "y.npz") as found:
        assert found["logits"].shape == (1, 4, 50)


def test_a_bundle_never_replaces_what_the_command_reads(archspec: Command, folder: Path) -> None:
    assert archspec("build", "small.yaml", "-o", "bundle", "--no-cache").status == 0
    for more in (("bundle/spec.yaml",), ("small.yaml", "--weights", "bundle/model.safetensors")):
        ran = archspec("build", *more, "-o", "bundle", "--no-cache")
        assert ran.status == 1
        assert "error[E704]: bundle is not replaced: it contains bundle/" in ran.err
    assert (folder / "bundle" / "manifest.json").exists()


@pytest.mark.parametrize("name", ["picture.png", "picture", "small.yaml"])
def test_a_picture_is_named_svg(archspec: Command, folder: Path, name: str) -> None:
    ran = archspec("show", "small.yaml", "--svg", name)
    assert ran.status == 2
    assert f"'{name}' does not end in .svg" in ran.err
    assert (folder / "small.yaml").read_text() == SMALL


def piped(text: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "archspec", *arguments]
    return subprocess.run(
        command, cwd=folder, env=surroundings, input=text, capture_output=True, text=True, check=False
    )


def test_a_spec_from_standard_input(archspec: Command, folder: Path) -> None:
    for arguments in (("check",), ("compile",), ("show",)):
        named = archspec(arguments[0], "small.yaml")
        found = piped(SMALL, *arguments, "-", folder=folder)
        assert (found.returncode, found.stdout, found.stderr) == (0, named.out, "")


def test_a_bundle_of_standard_input_holds_what_was_read(archspec: Command, folder: Path) -> None:
    text = SMALL + "# the end\n"
    assert piped(text, "build", "-", "-o", "bundle", "--no-cache", folder=folder).returncode == 0
    assert (folder / "bundle" / "spec.original.yaml").read_text() == text
    assert archspec("verify", "bundle").status == 0


def test_errors_of_standard_input_have_their_lines(folder: Path) -> None:
    found = piped("archspec: 1\nname: broken\n  x: y\n", "check", "-", folder=folder)
    assert found.returncode == 1
    assert "--> <stdin>:3:" in found.stderr


def test_standard_input_extends_relative_to_the_folder(folder: Path) -> None:
    found = piped("archspec: 1\nname: other\nextends: ./small.yaml\n", "check", "-", folder=folder)
    assert (found.returncode, found.stdout.startswith("other: ")) == (0, True)
