"""`archspec parallel`: its tables, its JSON, and what it refuses."""

from __future__ import annotations

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
        (("--data", "2", "--sequence"), "`--sequence` cuts the length over tensor ranks; give their number"),
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
