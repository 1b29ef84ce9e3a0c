"""The hook for pre-commit, by pre-commit, in a throw-away repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.reviews.throwaway import DECODER, OTHER, ROOT, commit, git, surroundings

HOOKS = ".pre-commit-hooks.yaml"
needs_it = pytest.mark.skipif(find_spec("pre_commit") is None, reason="pre-commit is not installed")


def pre_commit(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pre_commit", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@needs_it
def test_a_commit_with_a_leak_is_refused(tmp_path: Path) -> None:
    environment = surroundings(tmp_path) | {"PRE_COMMIT_HOME": str(tmp_path / "home")}
    hooks, work = tmp_path / "hooks", tmp_path / "work"
    for folder in (hooks, work):
        folder.mkdir()
        git(folder, environment, "init", "-q", "-b", "main")
    shutil.copy(ROOT / HOOKS, hooks / HOOKS)
    revision = commit(hooks, environment, {})
    chosen = f"repos: [{{repo: {hooks}, rev: {revision}, hooks: [{{id: archspec-check-installed}}]}}]\n"
    files = {".pre-commit-config.yaml": chosen, "specs/small.yaml": DECODER, "ci.yml": OTHER}
    commit(work, environment, files)
    assert pre_commit(work, environment, "install").returncode == 0

    (work / "specs/small.yaml").write_text(DECODER.replace("mask: last(3)", "mask: all"), encoding="utf-8")
    git(work, environment, "add", "-A")
    refused = subprocess.run(["git", "commit", "-m", "x"], cwd=work, env=environment, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "error[E420]: `causal(output: logits, input: ids)` is violated" in refused.stdout + refused.stderr

    # A file that is no spec is skipped, and a change that holds is committed.
    commit(
        work, environment, {"specs/small.yaml": DECODER.replace("layers: 2", "layers: 3"), "ci.yml": f"{OTHER}a: 1\n"}
    )
    assert pre_commit(work, environment, "run", "--all-files").returncode == 0


@needs_it
def test_the_file_is_one_that_pre_commit_takes() -> None:
    done = subprocess.run([sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / HOOKS)], check=False)
    assert done.returncode == 0
