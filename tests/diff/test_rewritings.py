"""Other names, another order, values in place of constants: nothing changed, and that is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import torch

from archspec.checking import compile
from archspec.contract.fill import DEVIATION, fill
from archspec.diff import Changes, compare_meaning
from archspec.spec import Spec, load
from tests.diff.rewriting import REWRITES, Rewrite, inline, rename, reorder, text_of, tree_of
from tests.mutation.shipped import SHIPPED
from tests.yaml_fuzz.make import file_of

HERE = ("gpt2", "transformer-base", "mistral-7b", "resnet-50", "gated-attention", "clip-vit-b32")
FILES = 15


def rewritten(spec: Spec, rewrite: Rewrite, folder: Path) -> Spec:
    chance = Random(f"{spec.name} {rewrite.__name__}")
    tree = tree_of(spec)
    # Counts are those of the file's own constants, which a small copy has others of.
    tree.pop("counts", None)
    rewrite(tree, spec, chance)
    path = folder / "rewritten.yaml"
    path.write_text(f"# {spec.name}\n{text_of(tree)}", encoding="utf-8")
    return load(path)


def told(name: str, rewrite: Rewrite, folder: Path) -> Changes:
    # Constants in place of which values stand are those of the file.
    spec = load(name, reduced=rewrite is not inline)
    return compare_meaning(spec, rewritten(spec, rewrite, folder))


@pytest.mark.parametrize("rewrite", REWRITES)
@pytest.mark.parametrize("name", HERE)
def test_nothing_changes(name: str, rewrite: Rewrite, tmp_path: Path) -> None:
    found = told(name, rewrite, tmp_path)
    assert found.changes == ()
    assert found.checkpoint.loads
    assert bool(found.renamed) == (rewrite is rename)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SHIPPED if name not in HERE])
def test_nothing_changes_in_other_specs(name: str, tmp_path: Path) -> None:
    found = [told(name, rewrite, tmp_path) for rewrite in REWRITES]
    assert [one.changes for one in found if one.changes or not one.checkpoint.loads] == []


def random_specs(folder: Path) -> Iterator[Spec]:
    for number in range(FILES):
        path = folder / f"{number}.yaml"
        path.write_text(file_of(0, number).text(), encoding="utf-8")
        yield load(path)


def test_nothing_changes_in_random_specs(tmp_path: Path) -> None:
    found = [
        compare_meaning(spec, rewritten(spec, rewrite, tmp_path))
        for spec in random_specs(tmp_path)
        for rewrite in (rename, reorder)
    ]
    assert [one.changes for one in found if one.changes or not one.checkpoint.loads] == []
    assert sum(bool(one.renamed) for one in found) > FILES / 2


@pytest.mark.parametrize("name", ["gpt2", "resnet-50"])
def test_a_checkpoint_under_its_new_names_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    spec = load(name, reduced=True)
    other = rewritten(spec, rename, tmp_path)
    found = compare_meaning(spec, other)
    assert found.checkpoint.moves
    before, after = fill(compile(spec), 0, DEVIATION).eval(), fill(compile(other), 1, DEVIATION).eval()
    moves = dict(found.checkpoint.moves)
    after.load_state_dict({moved(key, moves): tensor for key, tensor in before.state_dict().items()})
    (source,) = spec.graph.inputs
    sizes = {symbol.name: symbol.typical for symbol in spec.dims.values()}
    shape = [size.value(sizes) for size in source.type.shape]
    given = torch.randint(0, 50, shape) if source.type.dtype.is_integer else torch.randn(shape)
    with torch.no_grad():
        assert torch.equal(before(given), after(given))


def moved(key: str, moves: dict[str, str]) -> str:
    """The new name of a tensor: the numbers of its layers stand for the `*` of a pattern."""
    numbers = [part for part in key.split(".") if part.isdigit()]
    pattern = ".".join("*" if part.isdigit() else part for part in key.split("."))
    found = moves.get(key) or moves.get(pattern, pattern)
    for number in numbers:
        found = found.replace("*", number, 1)
    return found
