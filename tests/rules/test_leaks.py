"""What is said of a leak: the layer, its line, and the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from archspec.checking import check
from archspec.cli import cli
from archspec.diagnostics import render
from archspec.ir.graph import Value
from archspec.masks.atoms.causal import Causal
from archspec.rules.explain import open_question
from archspec.rules.flow import Dependence
from archspec.rules.lost import where_lost
from archspec.rules.prove import within
from archspec.rules.target import masked
from tests.editing import edited

LEAKING = """archspec: 1
name: leaking
constants: {vocab: 97, d: 32}
dims:
  batch: [1, 2, 4]
  length: [1, 9, 64]
inputs:
  ids: int64[batch, length] < vocab
defaults: {norm: layer_norm}
graph:
  source: {block: token_embedding, ids: ids, vocab: vocab, dim: d, positions: sinusoidal}
  states:
    block: transformer
    input: source
    layers: 12
    residual: pre
    final_norm: true
    attention: {heads: 4, mask: causal}
    feed_forward: {hidden: 64, activation: relu}
    kinds:
      plain: {}
      open:
        attention: {mask: all}
    pattern: {start: [plain, plain, plain, plain, plain, plain, plain, open], repeat: [plain], end: []}
  logits: {block: lm_head, input: states, tie: source.table}
outputs:
  logits: float[batch, length, vocab]
rules:
  - causal: {output: logits, input: ids}
"""
SAID = """error[E420]: `causal(output: logits, input: ids)` is violated: `logits` at [0, 0] depends on `ids` at [0, 1]
  --> leaking.yaml:23:27
   |
23 |         attention: {mask: all}
   |                           ^^^ `states.layers.7.attention` reads [0, 1] for [0, 0]
...
29 |   - causal: {output: logits, input: ids}
   |     ------------------------------------ the rule
   |
   = note: sizes: batch = 2, length = 4
   = note: path from `ids` at [0, 1]:
   = note:   source, line 11: [0, 1]
   = note:   states.layers.0 to states.layers.7, line 12: [0, 1]
   = note:   states.layers.7.attention, line 23: [0, 0] reads [0, 1]
   = note:   states.layers.7 to states.layers.11, line 12: [0, 0]
   = note:   states, line 12: [0, 0]
   = note:   logits, line 25: [0, 0]
   = help: use a mask there that implies `causal`
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "leaking.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_one_open_layer_of_twelve_is_named_with_its_line(tmp_path: Path) -> None:
    found = check(written(tmp_path, LEAKING))
    assert not found.holds
    assert render(found.diagnostics).replace(f"{tmp_path}/", "").strip() == SAID.strip()


def test_without_it_the_rule_is_proved(tmp_path: Path) -> None:
    assert check(written(tmp_path, edited(LEAKING, ("mask: all", "mask: last(3)")))).holds


def test_the_command_exits_1_and_says_so_in_json_too(tmp_path: Path) -> None:
    path = str(written(tmp_path, LEAKING))
    assert CliRunner().invoke(cli, ["check", path]).exit_code == 1
    result = CliRunner().invoke(cli, ["check", path, "--json"])
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [rule["status"] for rule in data["rules"]] == ["violated", "proved"]
    assert [found["code"] for found in data["diagnostics"]] == ["E420"]


def test_a_leak_by_padding_names_the_values_that_show_it(tmp_path: Path) -> None:
    text = edited(LEAKING, ("  ids: int64", "  valid: bool[batch, length]\n  ids: int64"))
    text = edited(text, ("mask: causal", "mask: key_valid(valid)"))
    text = edited(
        text, ("causal: {output: logits, input: ids}", "ignores: {output: logits, input: ids, where: not valid}")
    )
    (found,) = check(written(tmp_path, text)).diagnostics
    assert found.code == "E420"
    assert found.help == "use a mask there that implies `key_valid(valid)`"
    (values,) = [note for note in found.notes if note.startswith("`valid` is")]
    place = re.search(r"`ids` at \[(\d), (\d)\]", found.message)
    assert place is not None
    assert json.loads(values.removeprefix("`valid` is "))[int(place[1])][int(place[2])] == 0


def test_mixing_a_batch_names_the_node(tmp_path: Path) -> None:
    text = edited(LEAKING, ("mask: all", "mask: causal"))
    text = edited(text, ("input: states, tie: source.table}", "input: mixed, tie: source.table}"))
    text = edited(
        text, ("  logits: {block", "  mixed: {block: l2_normalize, input: states, axis: 0}\n  logits: {block")
    )
    (found,) = check(written(tmp_path, text)).diagnostics
    assert found.code == "E422"
    assert found.primary is not None
    assert found.primary.span.line == 25
    assert "batch rows are not independent: `" in found.message


def test_the_node_is_named_from_which_on_a_rule_is_not_proved(tmp_path: Path) -> None:
    spec = check(written(tmp_path, LEAKING)).spec
    dependence, (rule,) = Dependence(spec.graph), spec.rules
    wanted = masked(Causal(), (), rule.output, rule.input, rule.axis, dependence.reads.terms)

    def proved(value: Value) -> bool:
        spaces = value.type.space, rule.input.type.space
        return within(dependence.relation(value, rule.input), wanted, *spaces, {})

    lost = where_lost(rule, dependence, proved)
    assert lost is not None
    assert lost.path == "states.layers"
    said = render([open_question(rule, lost)])
    assert "error[E421]: `causal(output: logits, input: ids)` is not proved" in said
    assert "from this node on, the bound on what is read is too loose: `states.layers`" in said


def test_steps_of_an_extended_file_are_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "leaking.yaml").write_text(LEAKING, encoding="utf-8")
    child = tmp_path / "child.yaml"
    child.write_text(
        "archspec: 1\nname: child\nextends: leaking.yaml\nrules:\n  - causal: {output: logits, input: ids}\n",
        encoding="utf-8",
    )
    (found,) = check(child).diagnostics
    ways = [note for note in found.notes if ", line " in note or "yaml" in note]
    assert ways
    assert all(f", {tmp_path / 'leaking.yaml'}, line " in note for note in ways)
    own = [note for note in check(tmp_path / "leaking.yaml").diagnostics[0].notes if ", line " in note]
    assert own
    assert not any("leaking.yaml" in note for note in own)


MANY = """archspec: 1
name: many
dims: {batch: [1, 2, 2], length: [1, 5, 5]}
inputs: {x: "float[batch, length, 4]", kinds: "int64[batch, length] < 32"}
graph:
  y: {block: attend, query: x, key: x, value: x, heads: 1, mask: MASK}
outputs: {y: "float[batch, length, 4]"}
rules:
  - window: {output: y, input: x, back: 1, ahead: 1}
"""


def test_a_leak_through_a_mask_of_many_terms_names_the_values_that_show_it(tmp_path: Path) -> None:
    # More terms than the normal form keeps apart: the leak is by those without `within(1)` alone.
    terms = [f"key_valid(kinds == {kind}) & within(1)" for kind in range(9)]
    terms += [f"key_valid(kinds == {kind})" for kind in range(20, 26)]
    (found,) = check(written(tmp_path, MANY.replace("MASK", " | ".join(terms)))).diagnostics
    assert found.code == "E420"
    shown = re.search(r"`y` at \[(\d+), \d+, \d+\] depends on `x` at \[\d+, (\d+)\]", found.message)
    assert shown is not None
    (note,) = (note for note in found.notes if note.startswith("`kinds` is "))
    kinds = json.loads(note.removeprefix("`kinds` is "))
    assert kinds[int(shown[1])][int(shown[2])] in range(20, 26)
