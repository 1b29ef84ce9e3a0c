"""Lines are broken as Ruff breaks them."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from ruff.__main__ import find_ruff_bin

from archspec.lower.layout import is_settled, statement
from archspec.lower.syntax import parse
from archspec.lower.text import flat

NAMES = ["x", "mask", "self.attention_norm", "F.scaled_dot_product_attention", "torch.where", "query"]
LEAVES = ["x", "mask", "memory_states", "0.5", "keep", "1", "self.training", "1e-5", "-1", "hidden"]
SIGNS = ["+", "-", "*", "/", "@", "&", "|", "<", "**", "//"]


def expression(r: random.Random, depth: int) -> str:
    """A random expression of the kinds that ops write."""
    kind = r.random()
    if depth == 0 or kind < 0.2:
        return r.choice(LEAVES)
    inner = [expression(r, depth - 1) for _ in range(4)]
    if kind < 0.55:
        keyword = [f"dim={r.choice(LEAVES)}"] if r.random() < 0.4 else []
        return f"{r.choice(NAMES)}({', '.join([*inner[: r.randint(1, 4)], *keyword])})"
    if kind < 0.75:
        return f"({inner[0]}) {r.choice(SIGNS)} ({inner[1]})"
    if kind < 0.85:
        return f"({inner[0]}).{r.choice(['transpose', 'flatten'])}({r.choice(LEAVES)}, 2)"
    if kind < 0.9:
        return f"x[:, {inner[0]} : {r.choice(LEAVES)}]"
    return f"({inner[0]}, {inner[1]})" if kind < 0.95 else f"-({inner[0]})"


@pytest.mark.parametrize("seed", range(4))
def test_settled_statements_are_what_ruff_makes_of_them(seed: int, tmp_path: Path) -> None:
    r = random.Random(seed)
    lines, broken = ["def f():"], 0
    for _ in range(300):
        tree = parse(expression(r, r.randint(1, 4)))
        before = r.choice(["x = ", "return ", "hidden_states = "])
        if is_settled(before, tree, indent="    "):
            found = statement(before, tree, indent="    ")
            broken += len(found) > 1
            lines += found
    file = tmp_path / "lines.py"
    file.write_text("\n".join(lines) + "\n")
    done = subprocess.run([find_ruff_bin(), "format", "--isolated", "--diff", file], capture_output=True, text=True)
    assert done.stdout == ""
    assert broken > 30


@pytest.mark.parametrize(
    "over",
    [
        "[FirstEncoderLayer] + [EncoderLayer, EncoderLayer] * 7",
        "[FirstEncoderLayer] + [EncoderLayer, EncoderLayer, EncoderLayer] * 7",
        "[FirstEncoderLayer, EncoderLayer, EncoderLayer, EncoderLayer, EncoderLayer, EncoderLayer]",
        "[FirstEncoderLayer, EncoderLayer, EncoderLayer, EncoderLayer]",
    ],
)
def test_lists_of_layers_are_broken_as_ruff_breaks_them(over: str, tmp_path: Path) -> None:
    lines = statement("self.layers = ", parse(f"nn.ModuleList(kind() for kind in {over})"), indent="        ")
    file = tmp_path / "lines.py"
    file.write_text("\n".join(["class Encoder:", "    def __init__(self):", *lines]) + "\n")
    done = subprocess.run([find_ruff_bin(), "format", "--isolated", "--diff", file], capture_output=True, text=True)
    assert done.stdout == ""
    assert len(lines) > 2


@pytest.mark.parametrize(
    "source",
    [
        *("(a + b) * c", "a - (b - c)", "-(x**2)", "(-x) ** 2", "2**-x", "a**b**c"),
        *("not a and b", "(a, b)[0]", "x[1:, ..., None]", "~m | k", "a if b else c"),
    ],
)
def test_printing_keeps_the_meaning(source: str) -> None:
    assert flat(parse(source)) == source
