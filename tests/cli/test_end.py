"""The process ends at once, with all that it printed and the status of the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archspec.diagnostics import CODES


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "archspec", *arguments], capture_output=True, text=True, timeout=120)


def test_all_is_printed_before_the_end() -> None:
    found = ended("explain")
    assert found.returncode == 0
    assert [code for code in CODES if code not in found.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "status"), [(("check", "gpt2"), 0), (("check", "broken.yaml"), 1), (("chek", "gpt2"), 2)]
)
def test_the_status_is_the_command_s(arguments: tuple[str, ...], status: int, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("archspec: 1\nname: broken\n")
    words = [str(tmp_path / word) if word.endswith(".yaml") else word for word in arguments]
    found = ended(*words)
    assert found.returncode == status
    assert (found.stdout if status == 0 else found.stderr).endswith("\n")
    assert "Traceback" not in found.stderr
