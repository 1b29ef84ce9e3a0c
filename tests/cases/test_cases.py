"""Small inputs that were tried and failed, each with what is right: every row of README.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from archspec import SpecError, check, compile, load
from archspec.cli import cli
from archspec.spec import Spec
from archspec.spec.rules import Rule
from tests.lower.running import compare, filled

FOLDER = Path(__file__).resolve().parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def test_every_case_has_a_row() -> None:
    rows = re.findall(r"^\| ([\w-]+)\.yaml \|", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == NAMES


def statuses(path: Path) -> list[str]:
    """The verdicts on the rules that a file writes."""
    return [verdict.status for verdict in check(path).verdicts if isinstance(verdict.rule, Rule)]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("inner-source", ["violated"]),
        ("ignores-its-own-mask", ["violated"]),
        ("within-many-atoms", ["violated"]),
        ("segments-split", ["violated"]),
        ("mask-over-flattened-grid", ["proved"]),
        ("channels-causal", ["violated"]),
        ("split-merge-repeat", ["proved"]),
        ("blocks-causal", ["proved"]),
        ("block-local", ["proved"] * 3),
        ("hourglass", ["proved"]),
        ("class-token-padding", ["proved"]),
    ],
)
def test_verdicts(name: str, wanted: list[str]) -> None:
    assert statuses(path_of(name)) == wanted


def test_a_verdict_does_not_depend_on_the_hash_seed() -> None:
    said = "error[E420]: `within(output: y, input: x, mask: last(length) & last(3))` is violated"
    assert [said in checked_under(seed) for seed in range(4)] == [True] * 4


def checked_under(seed: int) -> str:
    surroundings = {**os.environ, "PYTHONHASHSEED": str(seed)}
    ran = subprocess.run(
        [sys.executable, "-m", "archspec", "check", str(path_of("within-two-ends"))],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stderr


def test_a_rule_over_channels_needs_its_axis(tmp_path: Path) -> None:
    text = path_of("split-merge-repeat").read_text("utf-8")
    assert ", axis: 1" in text
    (tmp_path / "no-axis.yaml").write_text(text.replace(", axis: 1", ""), encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        check(tmp_path / "no-axis.yaml")
    assert [found.code for found in refused.value.diagnostics] == ["E424"]


def test_weights_are_checked() -> None:
    path = path_of("weights-unchecked")
    line = 1 + [text.startswith("weights:") for text in path.read_text("utf-8").splitlines()].index(True)
    ran = CliRunner().invoke(cli, ["check", str(path), "--strict", "--json"], catch_exceptions=False)
    assert ran.exit_code == 1
    told = [found for found in check(path).diagnostics if found.primary.span.line == line]
    assert [(found.code, found.primary.span.text) for found in told] == [("E120", "("), ("E512", "nothing.here")]


def without_rules(name: str, folder: Path) -> Path:
    """The file without its rules, which may be violated: the module is the same."""
    text = path_of(name).read_text("utf-8")
    copy = folder / f"{name}.yaml"
    copy.write_text(re.sub(r"^(rules|weights):.*\n(?:[ -].*\n?)*", "", text, flags=re.MULTILINE), encoding="utf-8")
    return copy


def sizes_of(spec: Spec, typical: bool) -> dict[str, int]:
    return {name: symbol.typical if typical else symbol.min for name, symbol in spec.dims.items()}


@pytest.mark.parametrize(
    "name",
    NAMES,
)
def test_the_module_equals_the_interpreter(name: str, tmp_path: Path) -> None:
    spec = load(without_rules(name, tmp_path))
    module = filled(compile(spec)).eval()
    for typical in (True, False):
        compare(spec.graph, module, sizes_of(spec, typical))


def shown(*arguments: str) -> str:
    ran = CliRunner().invoke(cli, ["show", *arguments], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


@pytest.mark.parametrize(
    "name",
    [
        *NAMES,
    ],
)
def test_every_relation_is_shown(name: str, tmp_path: Path) -> None:
    spec = load(without_rules(name, tmp_path))
    for output in spec.outputs:
        for value in spec.graph.inputs:
            found = shown(str(spec.path), "--relation", value.name, output)
            assert f"{output} ← {value.name}" in found


def test_a_relation_is_drawn_over_rows_and_columns() -> None:
    found = shown(str(path_of("relation-channels-last")), "--relation", "x", "y")
    drawn = [line.count("■") for line in found.splitlines() if "·" in line and "proved" not in line]
    assert sum(drawn) == 9
    assert max(drawn) == 3


@pytest.mark.parametrize("name", NAMES)
def test_every_case_is_drawn(name: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    shown(str(without_rules(name, tmp_path)), "--svg", str(picture))
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
