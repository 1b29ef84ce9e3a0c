"""Throw-away repositories, in which `archspec` is this checkout's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DECODER = """archspec: 1
name: small
dims: {batch: [1, 2, 4], length: [1, 8, 32]}
inputs:
  ids: int64[batch, length] < 40
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: 40, dim: 16}
  states:
    block: transformer
    input: source
    layers: 2
    residual: post
    attention: {heads: 2, mask: last(3)}
    feed_forward: {hidden: 32, activation: gelu}
  logits: {block: lm_head, input: states, tie: source.table}
outputs:
  logits: float[batch, length, 40]
rules:
  - causal: {output: logits, input: ids}
"""
OTHER = "on: push\njobs: {}\n"
"""A YAML file that is no spec."""


def surroundings(folder: Path) -> dict[str, str]:
    """An environment with an `archspec` on the path, and no configuration of git but the one that is given here."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    script = programs / "archspec"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archspec "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GITHUB_"))},
        **who,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }


def git(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run git in a folder, and return what it prints."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, environment: dict[str, str], files: dict[str, str]) -> str:
    """Commit files with these texts, and return the commit."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(folder, environment, "add", "-A")
    git(folder, environment, "commit", "-qm", "a change")
    return git(folder, environment, "rev-parse", "HEAD")
