"""Rules on receptive fields: what is proved, what is refuted by two positions, and what is measured on models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.checking import Report, check
from archspec.contract.protocol import Subject
from archspec.contract.verify import verify
from archspec.model.runner import FunctionRunner
from archspec.spec.claims import claims_of
from tests.options import option
from tests.rules.specs import report, statuses

SIGNAL = """archspec: 1
name: signal
dims: {batch: [1, 2, 4], time: [16, 24, 64]}
inputs: {x: "float[batch, 3, time]"}
graph:
  y:
    - {block: conv, input: x, channels: 4, kernel: 5, padding: same, activation: relu}
    - {block: conv, channels: 4, kernel: 3, stride: 2, padding: 1, activation: relu}
    - {block: max_pool, kernel: 2, stride: 2}
  pooled:
    - {block: rearrange, input: y, pattern: b c n -> b n c}
    - {block: pool, kind: mean}
outputs:
  y: float[batch, 4, (time + 1)//4]
  pooled: float[batch, 4]
rules:
"""
HEAD = """archspec: 1
name: map
constants: {image: 64}
dims: {batch: [1, 2, 4]}
inputs: {x: "float[batch, 3, image, image]"}
graph:
"""


def signal(folder: Path, *rules: str) -> Report:
    path = folder / "signal.yaml"
    path.write_text(SIGNAL + "".join(f"  - receptive_field: {{{rule}}}\n" for rule in rules))
    return check(path)


def maps(folder: Path, graph: str, output: str, *rules: str) -> Report:
    path = folder / "map.yaml"
    lines = "".join(f"  - receptive_field: {{{rule}}}\n" for rule in rules)
    path.write_text(f"{HEAD}{graph}outputs:\n  {output}\nrules:\n{lines}")
    return check(path)


@option("rule.receptive_field", "receptive_field.at_most", "receptive_field.at=none", "receptive_field.axis=none")
def test_a_field_is_proved_up_to_its_extent_and_refuted_below(tmp_path: Path) -> None:
    """(5 - 1) + (3 - 1) + (2 - 1) * 2 + 1 = 9 samples, at a stride of 4."""
    rules = [f"output: y, input: x, at_most: {n}" for n in (9, 8)]
    found = signal(tmp_path, *rules)
    assert statuses(found)[:2] == ["proved", "violated"]
    assert found.verdicts[0].explanation == "the field is 9 positions"
    (diagnostic,) = found.verdicts[1].diagnostics
    assert diagnostic.message.startswith("`receptive_field(output: y, input: x, at_most: 8)` is violated: `y` at [")
    assert diagnostic.message.count("at [") == 3
    assert any(note.startswith("path from `x`") for note in diagnostic.notes)


DILATED = """archspec: 1
name: dilated
dims: {batch: [1, 2, 4], time: [4, 64, 4096]}
inputs: {x: "float[batch, 4, time]"}
graph:
  y:
    - {block: conv, input: x, channels: 4, kernel: 3, padding: 3, stride: 2, dilation: 3, groups: GROUPS}
    - {block: conv, channels: 4, kernel: 3, padding: same, dilation: 2, groups: GROUPS}
    - {block: avg_pool, kernel: 2, stride: 2}
  far: {block: conv, input: x, channels: 4, kernel: 2, padding: causal, dilation: 1500}
outputs:
  y: float[batch, 4, (time + 1)//4]
  far: float[batch, 4, time]
rules:
"""


def dilated(folder: Path, groups: int, *rules: str) -> Report:
    path = folder / "dilated.yaml"
    lines = "".join(f"  - receptive_field: {{input: x, {rule}}}\n" for rule in rules)
    path.write_text(DILATED.replace("GROUPS", str(groups)) + lines)
    return check(path)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_field_that_borders_clip_at_small_sizes_is_refuted_at_larger_ones(groups: int, tmp_path: Path) -> None:
    """(3 - 1) * 3 + 1 + 2 * ((3 - 1) * 2 + (2 - 1)) = 17 samples; at 17 of them none of `y` has all of its field."""
    found = dilated(tmp_path, groups, *(f"output: y, at_most: {n}" for n in (17, 16, 15)))
    assert statuses(found)[:3] == ["proved", "violated", "violated"]
    assert found.verdicts[0].explanation == "the field is 17 positions"
    sizes = [note for note in found.verdicts[2].diagnostics[0].notes if note.startswith("sizes: ")]
    assert sizes == ["sizes: batch = 2, time = 34"]


def test_an_exact_field_that_no_size_shows_is_not_called_too_loose(tmp_path: Path) -> None:
    found = dilated(tmp_path, 1, "output: far, at_most: 1500", "output: far, at_most: 1501")
    assert statuses(found)[:2] == ["unknown", "proved"]
    (note,) = found.verdicts[0].diagnostics
    assert note.primary is not None
    assert "too loose" not in note.primary.text
    assert "the field is 1501 positions" in note.notes


def test_a_pool_over_everything_is_global_unless_the_input_is_never_longer(tmp_path: Path) -> None:
    found = signal(tmp_path, *(f"output: pooled, input: x, at_most: {n}" for n in (64, 20)))
    assert statuses(found)[:2] == ["proved", "violated"]
    assert found.verdicts[0].explanation == "`x` has no more than 64 positions"
    assert found.verdicts[1].explanation == "the field is global from `pooled.1` on"


def test_a_kernel_of_one_sees_its_own_position(tmp_path: Path) -> None:
    graph = "  y: {block: conv, input: x, channels: 2, kernel: [3, 1]}\n"
    rules = ["output: y, input: x, axis: 2, at_most: 3", "output: y, input: x, axis: 3, at_most: 1"]
    found = maps(tmp_path, graph, 'y: "float[batch, 2, 62, 64]"', *rules)
    assert statuses(found)[:2] == ["proved", "proved"]


@option("receptive_field.axis")
def test_both_axes_of_a_map_by_themselves(tmp_path: Path) -> None:
    graph = "  y: {block: conv, input: x, channels: 2, kernel: [3, 7], dilation: 2}\n"
    rules = [f"output: y, input: x, axis: {axis}, at_most: {n}" for axis, n in ((2, 5), (2, 4), (3, 13), (3, 12))]
    found = maps(tmp_path, graph, 'y: "float[batch, 2, 60, 52]"', *rules)
    assert statuses(found)[:4] == ["proved", "violated", "proved", "violated"]


@pytest.mark.parametrize(("layers", "most", "status"), [(3, 10, "proved"), (3, 9, "violated"), (12, 37, "proved")])
def test_windows_of_attention_add_up(layers: int, most: int, status: str, tmp_path: Path) -> None:
    rules = f"receptive_field: {{output: logits, input: ids, at_most: {most}}}"
    assert statuses(report(tmp_path, "last(4)", rules, layers=layers)) == [status]


def test_causal_attention_is_global(tmp_path: Path) -> None:
    rules = "receptive_field: {output: logits, input: ids, at_most: 100}"
    found = report(tmp_path, "causal", rules, layers=1)
    assert statuses(found) == ["violated"]


def test_a_roll_reads_one_position_and_a_circular_window_both_ends(tmp_path: Path) -> None:
    rolled = "  y: {block: roll, input: x, axis: 2, by: 3}\n"
    found = maps(tmp_path, rolled, 'y: "float[batch, 3, 64, 64]"', "output: y, input: x, axis: 2, at_most: 1")
    assert (statuses(found)[0], found.verdicts[0].explanation) == ("proved", "the field is 1 position")
    circular = "  y: {block: conv, input: x, channels: 2, kernel: 3, padding: circular}\n"
    rules = [f"output: y, input: x, axis: 2, at_most: {n}" for n in (64, 63, 3)]
    found = maps(tmp_path, circular, 'y: "float[batch, 2, 64, 64]"', *rules)
    assert statuses(found)[:3] == ["proved", "violated", "violated"]
    assert found.verdicts[1].explanation == "the field is at most 64 positions"


@option("receptive_field.at")
def test_only_promised_positions_count(tmp_path: Path) -> None:
    """An attention to valid keys: positions that are not valid are promised nothing of."""
    rules = """
        receptive_field: {output: logits, input: ids, at_most: 4}
        receptive_field: {output: logits, input: ids, at_most: 4, at: valid}
        receptive_field: {output: logits, input: ids, at_most: 4, at: not valid}
    """
    inputs = "valid: bool[batch, length]"
    found = report(tmp_path, "query_valid(valid)", rules, inputs=inputs, layers=1)
    assert statuses(found) == ["violated", "violated", "unknown"]


def model(reach: int) -> FunctionRunner:
    """A model whose every position reads `reach` positions behind it and one ahead."""

    def run(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        x = np.pad(np.asarray(arrays["x"], dtype=np.float64), ((0, 0), (0, 0), (reach, 1)))
        count = arrays["x"].shape[2]
        return {"y": (x[..., :count] + x[..., reach + 1 : reach + 1 + count]).astype(arrays["x"].dtype)}

    return FunctionRunner(function=run)


@pytest.mark.parametrize(("reach", "status"), [(3, "holds"), (4, "violated"), (9, "violated")])
def test_it_is_measured_on_a_model_that_is_a_stranger(reach: int, status: str, tmp_path: Path) -> None:
    """A field of reach + 2 positions under a rule of 5."""
    path = tmp_path / "stranger.yaml"
    path.write_text(
        "archspec: 1\nname: stranger\ndims: {batch: [1, 2, 4], time: [16, 24, 64]}\n"
        'inputs: {x: "float[batch, 3, time]"}\n'
        "graph: {y: {block: conv, input: x, channels: 3, kernel: 5, padding: same}}\n"
        'outputs: {y: "float[batch, 3, time]"}\n'
        "rules:\n  - receptive_field: {output: y, input: x, at_most: 5}\n"
    )
    claims = claims_of(check(path).spec)
    found = verify(Subject(name="stranger", runner=model(reach), exact=model(reach)), claims)
    (finding,) = (one for one in found.findings if one.claim.startswith("receptive_field"))
    assert finding.status == status
    if status == "violated":
        assert " and on positions up to " in finding.detail
