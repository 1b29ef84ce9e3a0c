"""`generate`: ids from a spec and weights, or from a bundle."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import archspec as package
from archspec.bundle import build
from archspec.decoding import decoder
from tests.cli.conftest import SMALL, Command
from tests.decoding.specs import TWO_TABLES
from tests.editing import edited

DECODE = "decode: {input: ids, output: logits, start: none, end: 49}\n"
PROMPTS = ("--prompt-ids", "1,2,3", "--prompt-ids", "4")


@pytest.fixture
def weights(folder: Path) -> Path:
    """The small spec with a `decode` section, and a file of weights."""
    (folder / "small.yaml").write_text(SMALL + DECODE, encoding="utf-8")
    torch.manual_seed(3)
    save_file(package.compile("small.yaml").state_dict(), folder / "w.safetensors")
    return folder / "w.safetensors"


def expected(folder: Path, **options: float) -> list[list[int]]:
    torch.manual_seed(3)
    module = package.compile("small.yaml")
    rows = package.generate("small.yaml", [[1, 2, 3], [4]], max_new=5, module=module, **options)  # type: ignore[arg-type]
    return [list(row.ids) for row in rows]


def test_ids_a_row_a_line(archspec: Command, folder: Path, weights: Path) -> None:
    ran = archspec("generate", "small.yaml", *PROMPTS, "--weights", weights.name, "--max-new", "5")
    assert ran.status == 0
    assert re.fullmatch(r"10 ids in \d+\.\d\d s, \d+\.\d ids/s\n", ran.err)
    assert [[int(id) for id in line.split(",")] for line in ran.out.splitlines()] == expected(folder)


def test_weights_of_several_dtypes(archspec: Command, folder: Path, weights: Path) -> None:
    """Norms in float64 beside float32 run as float32 does; what float32 cannot hold is refused."""
    tensors = load_file(weights)
    norms = {name: tensor.double() for name, tensor in tensors.items() if "norm" in name}
    save_file({**tensors, **norms}, folder / "mixed.safetensors")
    ran = archspec("generate", "small.yaml", *PROMPTS, "--weights", "mixed.safetensors", "--max-new", "5")
    assert [[int(id) for id in line.split(",")] for line in ran.out.splitlines()] == expected(folder)
    name = next(iter(norms))
    save_file({**tensors, name: norms[name] + 1e300}, folder / "large.safetensors")
    ran = archspec("generate", "small.yaml", *PROMPTS, "--weights", "large.safetensors")
    assert ran.status == 1
    assert "error[E527]" in ran.err


def test_drawn_ids_and_json(archspec: Command, folder: Path, weights: Path) -> None:
    options = ("--temperature", "2", "--top-k", "30", "--top-p", "0.9", "--seed", "4")
    ran = archspec("generate", "small.yaml", *PROMPTS, "--weights", weights.name, "--max-new", "5", "--json", *options)
    rows = ran.data["rows"]
    assert [row["ids"] for row in rows] == expected(folder, temperature=2, top_k=30, top_p=0.9, seed=4)
    assert [row["prompt"] for row in rows] == [[1, 2, 3], [4]]
    assert [row["ended"] for row in rows] == [row["ids"][-1] == 49 for row in rows]


def test_limits_and_log_probabilities(archspec: Command, folder: Path, weights: Path) -> None:
    given = ("generate", "small.yaml", *PROMPTS, "--weights", weights.name, "--max-new", "5", "--json")
    stop = expected(folder)[0][2]
    more = ("--stop", str(stop), "--min-new", "2", "--repetition-penalty", "1.5", "--log-probabilities")
    limits = {"stop": [stop], "min_new": 2, "repetition_penalty": 1.5, "log_probabilities": True}
    torch.manual_seed(3)
    module = package.compile("small.yaml")
    rows = package.generate("small.yaml", [[1, 2, 3], [4]], max_new=5, module=module, **limits)  # type: ignore[arg-type]
    ran = archspec(*given, *more)
    assert [row["ids"] for row in ran.data["rows"]] == [list(row.ids) for row in rows]
    assert [row["log_probabilities"] for row in ran.data["rows"]] == [
        pytest.approx(row.log_probabilities) for row in rows
    ]
    assert archspec(*given[:-1], "--log-probabilities").status == 2


def test_a_beam_search(archspec: Command, folder: Path, weights: Path) -> None:
    options = ("--beams", "3", "--length-penalty", "0.5", "--early-stopping", "never", "--max-new", "5")
    ran = archspec("generate", "small.yaml", "--prompt-ids", "1,2,3", "--weights", weights.name, "--json", *options)
    module = package.compile("small.yaml")
    module.load_state_dict(load_file(weights))
    search = {"beams": 3, "length_penalty": 0.5, "early_stopping": "never"}
    (row,) = package.generate("small.yaml", [1, 2, 3], max_new=5, module=module, **search)  # type: ignore[arg-type]
    assert [one["ids"] for one in ran.data["rows"]] == [list(row.ids)]
    assert [one["score"] for one in ran.data["rows"]] == [pytest.approx(row.score)]


def test_what_has_no_cached_step_is_told(archspec: Command, folder: Path, weights: Path) -> None:
    text = (folder / "small.yaml").read_text("utf-8")
    (folder / "small.yaml").write_text(
        edited(text, ("mask: causal", "mask: causal, scale: 1/length")), encoding="utf-8"
    )
    ran = archspec("generate", "small.yaml", *PROMPTS, "--weights", weights.name, "--max-new", "5")
    assert ran.status == 0
    assert "note: every step computes all positions again: " in ran.err


def test_fresh_parameters_are_told(archspec: Command, folder: Path, weights: Path) -> None:
    first, again = (archspec("generate", "small.yaml", *PROMPTS, "--seed", "3", "--max-new", "5") for _ in range(2))
    assert "no weights were given" in first.err
    assert first.out == again.out
    assert [[int(id) for id in line.split(",")] for line in first.out.splitlines()] == expected(folder)


def test_a_source_from_a_file(archspec: Command, folder: Path) -> None:
    (folder / "two-tables.yaml").write_text(TWO_TABLES, encoding="utf-8")
    source = np.arange(10).reshape(2, 5)
    np.savez(folder / "in.npz", src_ids=source)
    ran = archspec("generate", "two-tables.yaml", "--inputs", "in.npz", "--max-new", "3", "--json")
    torch.manual_seed(0)
    rows = decoder("two-tables.yaml", package.compile("two-tables.yaml")).generate(
        max_new=3, inputs={"src_ids": source}
    )
    assert [row["ids"] for row in ran.data["rows"]] == [list(row.ids) for row in rows]
    assert [row["prompt"] for row in ran.data["rows"]] == [[0], [0]]


def test_a_bundle(archspec: Command, folder: Path, weights: Path) -> None:
    build("small.yaml", folder / "built", weights=weights, targets=())
    ran = archspec("generate", "built", *PROMPTS, "--max-new", "5")
    assert ran.status == 0
    assert [[int(id) for id in line.split(",")] for line in ran.out.splitlines()] == expected(folder)
    for option in (("--set", "layers=1"), ("--reduced",), ("--weights", weights.name)):
        assert archspec("generate", "built", *PROMPTS, *option).status == 2


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("small.yaml", "--prompt-ids", "one"), 2, "'one' is not a list of ids, such as 504,3575"),
        (("small.yaml", "--prompt-ids", ""), 1, "error[E741]"),
        (("small.yaml", "--prompt-ids", "50", "--max-new", "2"), 1, "error[E718]"),
        (("small.yaml", "--prompt-ids", "1", "--max-new", "13"), 1, "error[E742]"),
        (("small.yaml", "--prompt-ids", "1", "--top-p", "0.5"), 1, "error[E744]"),
        (("small.yaml", "--prompt-ids", "1", "--set", "decode.end=50"), 1, "error[E746]"),
        (("small.yaml", "--prompt-ids", "1", "--inputs", "nothing.npz"), 1, "error[E703]"),
        (("bert-base", "--prompt-ids", "1", "--reduced"), 1, "error[E740]"),
        (("nothing.yaml", "--prompt-ids", "1"), 1, "error[E208]"),
        ((".", "--prompt-ids", "1"), 1, "error[E705]"),
    ],
)
def test_refusals(
    archspec: Command, folder: Path, weights: Path, arguments: tuple[str, ...], status: int, text: str
) -> None:
    ran = archspec("generate", *arguments)
    assert ran.status == status
    assert text in ran.err
    assert ran.out == ""
