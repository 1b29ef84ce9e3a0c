"""`archspec parallel`: its tables, its JSON, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command


def test_a_plan_as_tables(archspec: Command) -> None:
    ran = archspec("parallel", "small.yaml", "--tensor", "2", "--data", "2", "--pipeline", "2")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0] == "small on 8 ranks: 2 tensor x 2 data x 2 pipeline"
    assert max(map(len, lines)) <= 100
    headings = [line.split("  ")[0] for line in lines if line and not line.startswith(" ")]
    assert "parameter" in headings
    assert "memory of a rank" in headings
    assert any(line.startswith("exchanged in a step") for line in lines)
    assert any(line.startswith("stage") for line in lines)


def test_a_plan_as_json(archspec: Command) -> None:
    data = archspec("parallel", "small.yaml", "--tensor", "2", "--json").data
    assert data["ranks"] == {"tensor": 2, "data": 1, "pipeline": 1}
    parameters = {one["path"]: one for one in data["parameters"]}
    query = parameters["states.layers.*.attention.q.weight"]
    assert query["placement"] == {"kind": "shard", "axis": 0, "copies": 1}
    assert query["rank_elements"] * 2 == query["elements"] == 16 * 16
    assert data["elements"]["rank"] == sum(one["count"] * one["rank_elements"] for one in data["parameters"])
    assert data["memory"]["training_state"] == 16 * data["elements"]["rank"]
    # An all-reduce is given the whole value, in float32.
    sizes = data["sizes"]
    joined = next(one for one in data["collectives"] if one["where"] == "states.layers.*.attention.out")
    assert joined["bytes"] == 2 * sizes["batch"] * sizes["length"] * 16 * 4
    narrow = archspec("parallel", "small.yaml", "--tensor", "2", "--dtype", "bfloat16", "--json").data
    assert sum(one["bytes"] for one in narrow["collectives"]) * 2 == sum(one["bytes"] for one in data["collectives"])


def test_stages_tell_what_they_send_and_sum(archspec: Command) -> None:
    found = archspec("parallel", "gpt2", "--pipeline", "2", "--json").data
    sizes = found["sizes"]
    assert [one["sends"] for one in found["stages"]] == [["float[batch, length, 768]"], []]
    assert found["stages"][0]["sends_bytes"] == sizes["batch"] * sizes["length"] * 768 * 4
    assert found["tied"] == [{"parameter": "source.table", "stages": [0, 1], "bytes": 50257 * 768 * 4}]
    # Both hold the table; the head computes as much as five layers.
    assert found["stages"][0]["units"] == ["source", *(f"states.layers.{number}" for number in range(9))]
    assert found["elements"]["rank"] == 50257 * 768 + 1024 * 768 + 9 * (12 * 768**2 + 13 * 768)
    lines = archspec("parallel", "albert-base", "--pipeline", "2").out.splitlines()
    assert any(line.startswith("gradients of states.layers.* are summed over stages 0 and 1: ") for line in lines)


def test_what_is_exchanged_again(archspec: Command) -> None:
    """Of the two sums of a layer, that of the attention is needed again, and the last one is not."""
    found = archspec("parallel", "llama-3-8b", "--tensor", "8", "--json").data
    again = {one["where"]: one["again"] for one in found["collectives"] if one["again"]}
    assert again == {"states.layers.*.attention.out": 32}
    lines = archspec("parallel", "llama-3-8b", "--tensor", "8").out.splitlines()
    assert any(line.startswith("again, if layers are computed again") and " 32 " in line for line in lines)


def test_what_is_not_split_names_the_op_in_full(archspec: Command) -> None:
    lines = archspec("parallel", "deepseek-v3", "--tensor", "64").out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("not split"))
    words = " ".join(line[56:].strip() for line in lines[start + 1 :])
    assert "`states.layers.*.attention.q_norm` (rms_norm) needs all of it (line 17)" in words
    assert max(map(len, lines)) <= 100
    whole = archspec("parallel", "gpt2", "--tensor", "8", "--json").data["not_split"]
    out = next(one for one in whole if one["path"] == "states.layers.*.attention.out")
    # Its sum over heads would follow the heads of the attention.
    assert out["reason"].startswith("12 is not divisible by 8")


def test_what_fully_shard_gathers_counts_as_memory(archspec: Command) -> None:
    """Of Llama 3 8B by hand: table, head and last norm with their gradients; two layers, and the gradients of one."""
    found = archspec("parallel", "llama-3-8b", "--data", "8", "--json").data["memory"]
    outside = 2 * 128256 * 4096 + 4096
    layer = 2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 14336 * 4096 + 2 * 4096
    assert found["gathered"] == 4 * (2 * outside + 3 * layer)
    assert found["training"] == found["training_state"] + found["gathered"] + found["activations_checkpointed"]
    assert archspec("parallel", "llama-3-8b", "--tensor", "8", "--json").data["memory"]["gathered"] == 0


def test_parts_of_the_length(archspec: Command) -> None:
    whole = archspec("parallel", "small.yaml", "--tensor", "2", "--json").data
    cut = archspec("parallel", "small.yaml", "--tensor", "2", "--sequence", "--json").data
    assert whole["sequence"] == []
    assert [(one["layers"], one["length"], one["cut"]) for one in cut["sequence"]] == [
        ("states.layers", "length", True)
    ]
    for kept in ("activations", "activations_checkpointed"):
        assert cut["memory"][kept] < whole["memory"][kept]
    shown = archspec("parallel", "small.yaml", "--tensor", "2", "--sequence").out
    assert "  states.layers: norms and residuals on 1/2 of `length`, which 2 must divide" in shown.splitlines()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--tensor", "2"), "the same on the 2 tensor ranks"),
        (("--tensor", "2", "--data", "2"), "the same on the 2 tensor ranks of a group, another on each group"),
        (("--data", "2"), "another on each rank"),
        (("--data", "1"), None),
    ],
)
def test_dropout_needs_seeds(archspec: Command, options: tuple[str, ...], line: str | None) -> None:
    start = "dropout needs seeds (torch.manual_seed): "
    lines = archspec("parallel", "gpt2", "--reduced", *options).out.splitlines()
    assert [one for one in lines if one.startswith(start)] == ([f"{start}{line}"] if line else [])
    assert not any(
        one.startswith(start) for one in archspec("parallel", "llama-3-8b", "--reduced", *options).out.splitlines()
    )
    assert archspec("parallel", "gpt2", "--reduced", *options, "--json").data["dropout"] is True


def test_the_fewest_ranks_that_fit(archspec: Command) -> None:
    alone = archspec("parallel", "small.yaml", "--memory", "80GB", "--json").data
    assert alone["ranks"] == {"tensor": 1, "data": 1, "pipeline": 1}
    most = alone["memory"]["training"] - 1
    several = archspec("parallel", "small.yaml", "--memory", f"{most}B", "--json").data
    assert several["ranks"]["tensor"] * several["ranks"]["data"] == 2
    assert several["memory"]["training"] <= most


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give sizes (`--tensor 8`), or the memory of a device (`--memory 80GB`)"),
        (("--memory", "much"), "`much` is not a size such as 80GB"),
        (("--memory", f"{'9' * 5000}GB"), f"`{'9' * 40}...` is not a size such as 80GB"),
        (("--data", "2", "--sequence"), "`--sequence` cuts the length over tensor ranks; give their number"),
        (("--tensor", "1", "--sequence"), "`--sequence` cuts the length over tensor ranks; give their number"),
        (("--tensor", "2", "--pipeline", "2", "--sequence"), "stages of a pipeline hold the whole length"),
        (("--data", "2", "--expert-parallel"), "`--expert-parallel` puts experts on tensor ranks; give their number"),
        (("--tensor", "0"), "0 is not in the range 1<=x<=1000000"),
        (("--tensor", "1000000000"), "1000000000 is not in the range 1<=x<=1000000"),
    ],
)
def test_wrong_usage(archspec: Command, options: tuple[str, ...], message: str) -> None:
    ran = archspec("parallel", "small.yaml", *options)
    assert ran.status == 2
    assert message in ran.err


def test_what_cannot_be_split_is_refused(archspec: Command) -> None:
    ran = archspec("parallel", "small.yaml", "--tensor", "7")
    assert ran.status == 1
    assert "error[E900]: nothing in `small` can be split over 7 tensor ranks" in ran.err


@pytest.mark.parametrize(
    ("size", "fits"), [("9" * 300, True), (f"{'9' * 300}.{'9' * 300}", True), (f"0.{'0' * 300}1", False)]
)
def test_memory_of_300_digits(archspec: Command, size: str, fits: bool) -> None:
    ran = archspec("parallel", "small.yaml", "--memory", f"{size}GB")
    if fits:
        assert ran.status == 0
        assert ran.out.startswith("small on 1 rank: 1 tensor x 1 data x 1 pipeline\n")
    else:
        assert ran.status == 1
        assert "error[E902]: `small` does not fit in 0 bytes: one of " in ran.err


# Nothing in it has weights, or FLOPs: it only chooses entries.
CHOOSES = """
archspec: 1
name: chooses
dims: {batch: [1, 2, 4], length: [1, 5, 9]}
inputs:
  x: float[batch, length, 8]
graph:
  y: {block: argmax, input: x, axis: -1}
outputs:
  y: int64[batch, length]
"""


@pytest.mark.parametrize(
    "command",
    [
        ("parallel", "--tensor", "2"),
        ("parallel", "--tensor", "2", "--memory", "80GB"),
        ("parallel", "--tensor", "2", "--sequence"),
        ("compile", "--parallel", "2", "-o", "model.py"),
        ("compile", "--parallel", "2", "--sequence", "-o", "model.py"),
    ],
)
def test_what_has_no_weights_and_no_flops_is_refused(archspec: Command, folder: Path, command: tuple[str, ...]) -> None:
    (folder / "chooses.yaml").write_text(CHOOSES, encoding="utf-8")
    ran = archspec(command[0], "chooses.yaml", *command[1:])
    assert ran.status == 1
    assert "error[E900]: nothing in `chooses` can be split over 2 tensor ranks\n" in ran.err
    assert "it has no weights and no FLOPs" in ran.err
    assert not (folder / "model.py").exists()


def test_what_has_no_flops_has_no_stages_and_needs_no_second_rank(archspec: Command, folder: Path) -> None:
    (folder / "chooses.yaml").write_text(CHOOSES, encoding="utf-8")
    for command in (("parallel",), ("compile", "-o", "model.py")):
        ran = archspec(command[0], "chooses.yaml", "--pipeline", "2", *command[1:])
        assert ran.status == 1
        assert "error[E901]: `chooses` has nothing that computes: too few for 2 pipeline stages\n" in ran.err
    data = archspec("parallel", "chooses.yaml", "--memory", "80GB", "--json").data
    assert data["ranks"] == {"tensor": 1, "data": 1, "pipeline": 1}
    assert data["flops"] == {"tensor_rank": 0, "model": 0, "not_split": 0}
    assert data["elements"] == {"rank": 0, "model": 0}


# The first axis of the features is a size that two ranks do not divide.
NORMS = """
archspec: 1
name: odd
defaults: {norm: layer_norm}
dims: {batch: [1, 2, 4]}
inputs:
  x: float[batch, 7, 32]
graph:
  states:
    block: encoder
    input: x
    layers: 2
    residual: pre
    final_norm: true
    attention: {heads: 4, mask: all}
    feed_forward: {hidden: 64, activation: relu}
outputs:
  states: float[batch, 7, 32]
"""


def test_sequence_without_effect_is_told_and_not_written(archspec: Command, folder: Path) -> None:
    """Seven positions on two ranks: the plan is that without `--sequence`, which says so; a file would hide it."""
    (folder / "odd.yaml").write_text(NORMS, encoding="utf-8")
    cut, whole = (
        archspec("parallel", "odd.yaml", "--tensor", "2", "--json", *more).data for more in (("--sequence",), ())
    )
    (stack,) = cut.pop("sequence")
    assert (stack["layers"], stack["cut"], stack["reason"]) == ("states.layers", False, "7 is not divisible by 2")
    assert whole.pop("sequence") == []
    assert cut == whole
    shown = archspec("parallel", "odd.yaml", "--tensor", "2", "--sequence").out.splitlines()
    assert "  states.layers: `7` is not cut: 7 is not divisible by 2 (line 9)" in shown
    ran = archspec("compile", "odd.yaml", "--parallel", "2", "--sequence", "-o", "model.py")
    assert ran.status == 1
    assert "error[E900]: no length in `odd` can be cut over 2 tensor ranks\n" in ran.err
    assert "states.layers: `7` is not cut: 7 is not divisible by 2" in ran.err
    assert not (folder / "model.py").exists()
    assert archspec("compile", "odd.yaml", "--parallel", "2", "-o", "model.py").status == 0


MIXTURE = """
archspec: 1
name: mixture
dims: {batch: [1, 2, 4], length: [1, 5, 9]}
inputs:
  x: float[batch, length, 32]
graph:
  states:
    block: encoder
    input: x
    layers: 2
    residual: bare
    attention: none
    feed_forward:
      hidden: 24
      activation: relu
      experts: {count: 6, top_k: 2, scores: softmax, normalise: true}
outputs:
  states: float[batch, length, 32]
"""


def test_whole_experts(archspec: Command, folder: Path) -> None:
    (folder / "mixture.yaml").write_text(MIXTURE, encoding="utf-8")
    by_hidden, whole = (
        archspec("parallel", "mixture.yaml", "--tensor", "2", "--json", *more).data
        for more in ((), ("--expert-parallel",))
    )
    assert by_hidden["experts"] == []
    (module,) = whole["experts"]
    assert module == {
        "module": "states.layers.*.feed_forward.experts",
        "count": 6,
        "whole": True,
        "reason": None,
        "line": module["line"],
    }
    axes = {one["path"].rpartition(".")[2]: one["placement"].get("axis") for one in whole["parameters"]}
    assert (axes["up"], axes["down"]) == (0, 0)
    # Biases of `down` are cut with their experts: 32 features of three experts in two layers.
    assert whole["elements"]["rank"] == by_hidden["elements"]["rank"] - 2 * 3 * 32
    assert whole["flops"] == by_hidden["flops"]
    shown = archspec("parallel", "mixture.yaml", "--tensor", "2", "--expert-parallel").out.splitlines()
    told = "3 whole experts of 6 on each rank; FLOP as if each were chosen as often"
    assert f"  states.layers.*.feed_forward.experts: {told}" in shown
    assert archspec("compile", "mixture.yaml", "--parallel", "2", "--expert-parallel", "-o", "model.py").status == 0
    assert '"states.layers.*.feed_forward.experts.up": Shard(0)' in (folder / "parallelize.py").read_text()


def test_experts_that_ranks_do_not_divide_are_told_and_not_written(archspec: Command, folder: Path) -> None:
    """The plan is that without `--expert-parallel`, which says so; a file would hide it."""
    (folder / "mixture.yaml").write_text(MIXTURE, encoding="utf-8")
    by_hidden, whole = (
        archspec("parallel", "mixture.yaml", "--tensor", "4", "--json", *more).data
        for more in ((), ("--expert-parallel",))
    )
    (module,) = whole.pop("experts")
    assert (module["whole"], module["reason"]) == (False, "6 experts are not divisible by 4")
    assert by_hidden.pop("experts") == []
    assert whole == by_hidden
    shown = archspec("parallel", "mixture.yaml", "--tensor", "4", "--expert-parallel").out
    line = f"6 experts are not divisible by 4 (line {module['line']})"
    assert f"  states.layers.*.feed_forward.experts: no whole experts: {line}\n" in shown
    (module,) = archspec("parallel", "mixture.yaml", "--memory", "80GB", "--expert-parallel", "--json").data["experts"]
    assert (module["whole"], module["reason"]) == (False, "there is one tensor rank")
    more = ("--parallel", "4", "--expert-parallel", "-o", "model.py")
    for command in (("compile", "mixture.yaml", *more), ("compile", "mixture.yaml", "--pipeline", "2", *more)):
        ran = archspec(*command)
        assert ran.status == 1
        assert "error[E900]: no experts of `mixture` can be whole on 4 tensor ranks\n" in ran.err
        assert "states.layers.*.feed_forward.experts: 6 experts are not divisible by 4" in ran.err
    assert not (folder / "model.py").exists()


def test_experts_that_are_used_again_are_told_once(archspec: Command, folder: Path) -> None:
    again = MIXTURE.replace("outputs:\n  states", "  again: {reuse: states, input: states}\noutputs:\n  again")
    (folder / "again.yaml").write_text(again, encoding="utf-8")
    shown = archspec("parallel", "again.yaml", "--tensor", "2", "--expert-parallel").out
    assert shown.count("whole experts of 6") == 1


def test_whole_experts_of_a_model_without_any_are_refused(archspec: Command, folder: Path) -> None:
    for command in (("parallel", "--tensor"), ("compile", "-o", "model.py", "--parallel")):
        ran = archspec(command[0], "small.yaml", *command[1:], "2", "--expert-parallel")
        assert ran.status == 1
        assert "error[E900]: no experts of `small` can be whole on 2 tensor ranks\n" in ran.err
        assert "it has no mixture of experts" in ran.err
    ran = archspec("parallel", "small.yaml", "--memory", "80GB", "--expert-parallel")
    assert "error[E900]: no experts of `small` can be whole on one tensor rank\n" in ran.err
    assert not (folder / "model.py").exists()
