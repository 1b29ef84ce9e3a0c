"""`verify --against` and `build --expect`: a spec with weights is held to the model that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archspec.contract.fill import fill
from tests.cli.conftest import Command
from tests.interop.wrong_maps import ORIGINALS

LLAMA = ORIGINALS["llama"]
SIZES = [part for name, size in LLAMA.sizes.items() for part in ("--set", f"{name}={size}")]

pytestmark = pytest.mark.slow


def test_the_command_compares_and_fails(archspec: Command, folder: Path) -> None:
    made: Any = fill(LLAMA.make(LLAMA.config), 0)
    made.save_pretrained(folder / "original")
    (folder / "right.yaml").write_text(LLAMA.text(folder / "original"), encoding="utf-8")
    (folder / "wrong.yaml").write_text(LLAMA.text(folder / "original", *LLAMA.wrong["eps"]), encoding="utf-8")
    options = ("--weights", "original", "--against", "original", *SIZES)
    right = archspec("verify", "right.yaml", *options)
    assert right.status == 0, right.out + right.err
    assert "equal to the original" in right.out and "in float64 up to" in right.out
    wrong = archspec("verify", "wrong.yaml", *options)
    assert wrong.status == 1
    assert "equal to the original" in wrong.out and "the original has" in wrong.out
    assert archspec("verify", "right.yaml", "--against", "original").status == 2


def test_an_import_is_held_to_its_original(archspec: Command, folder: Path) -> None:
    made: Any = fill(LLAMA.make(LLAMA.config), 0)
    made.save_pretrained(folder / "original")
    ran = archspec("import", "original", "-o", "spec.yaml", "--verify")
    assert ran.status == 0, ran.err
    assert "equal to the original: " in ran.err and "in float64 up to" in ran.err
    (folder / "original" / "model.safetensors").unlink()
    failed = archspec("import", "original", "-o", "other.yaml", "--verify")
    assert failed.status == 1 and "E523" in failed.err
    assert not (folder / "other.yaml").exists()
