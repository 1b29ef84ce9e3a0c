"""What `check` says of fields: of images and signals always, of sequences where they are bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from archspec.checking.fields import field_text, output_fields, position_axes
from archspec.cli import cli
from archspec.spec import load
from archspec.views.fields import field_rows

LINES = {
    "resnet-50": ["pixels: global from `logits.0` on, before it 427 x 427 positions, stride 32"],
    "convnext-tiny": ["pixels: global from `logits.0` on, before it 1,688 x 1,688 positions, stride 32"],
    "swin-t": [
        "pixels: global from `stage4.y.layers.*.attention` on, before it at most 1,472 x 1,472 positions, stride 32"
    ],
    "vit-b16": ["pixels: global from `states.layers.*.attention` on, before it 16 x 16 positions"],
    "mistral-7b": ["ids: 131,041 positions"],
    "gpt2": [],
    "transformer-base": [],
    "bert-base": [],
}


@pytest.mark.parametrize("name", LINES)
def test_only_what_says_something_is_said(name: str) -> None:
    assert [f"{one.source}: {field_text(one)}" for one in output_fields(load(name))] == LINES[name]


def test_the_line_of_check_and_its_data() -> None:
    text = CliRunner().invoke(cli, ["check", "resnet-50"]).output
    assert f"\n  field of {LINES['resnet-50'][0]}\n" in text
    data = json.loads(CliRunner().invoke(cli, ["check", "mistral-7b", "--json"]).output)
    axis = {"axis": 1, "extent": 131041, "stride": "1", "bound": None, "global_from": None}
    assert {"output": "logits", "input": "ids", "axes": [axis]} in data["fields"]


def test_a_table_of_all_nodes() -> None:
    rows = CliRunner().invoke(cli, ["show", "resnet-50", "--fields"]).output.splitlines()
    assert rows[0].split() == ["node", "gives", "field", "mixing"]
    assert any(row.startswith("stem.1 ") and "11 x 11 positions, stride 4" in row for row in rows)
    (stage,) = (row for row in rows if row.startswith("stage3 "))
    assert "267 x 267 positions, stride 16" in stage
    assert stage.split()[-2:] == ["static", "47%"]
    data = json.loads(CliRunner().invoke(cli, ["show", "vit-b16", "--fields", "--json"]).output)
    assert [row["name"] for row in data["nodes"]] == ["tokens", "states", "logits.0", "logits.1"]
    assert list(data["nodes"][1]["mixing"]) == ["dynamic"]


def test_tokens_in_front_of_a_grid_have_no_stride() -> None:
    """A row of 8 patches, each 16 pixels high: a token is 2 pixel rows further only on the average."""
    (line,) = output_fields(load("vit-b16", set={"image": "128"}))
    assert field_text(line) == "global from `states.layers.*.attention` on, before it 16 x 16 positions"
    (tokens,) = (row for row in field_rows(load("vit-b16", set={"image": "128"})) if row.name == "tokens")
    assert tokens.field_text == "16 x 16 positions"
    ran = CliRunner().invoke(cli, ["show", "vit-b16", "--set", "image=128", "--fields", "--json"])
    (data,) = json.loads(ran.output)["nodes"][0]["fields"]
    assert [(axis["extent"], axis["stride"]) for axis in data["axes"]] == [(16, None), (16, None)]


def test_fields_are_no_picture() -> None:
    found = CliRunner().invoke(cli, ["show", "resnet-50", "--fields", "--svg", "x.svg"])
    assert found.exit_code == 2
    assert "`--fields` prints text: `--svg` does not apply" in found.output


BODY = """archspec: 1
name: axes
dims: {{batch: [1, 2, 4]}}
inputs:
  x: float[batch, {sizes}]
defaults: {{norm: layer_norm}}
blocks:
  inner:
    inputs:
      z: float[b, c, n]
    graph:
      y: {{block: conv, input: z, channels: 4, kernel: 3}}
    outputs:
      y: float[b, 4, n - 2]
graph:
  y: {node}
outputs:
  y: {output}
"""
SPECTROGRAM, IMAGE = "80, 300", "24, 32, 3"
CONV = "{block: conv, channels: 4, kernel: 3}"


@pytest.mark.parametrize(
    ("sizes", "node", "output", "axes"),
    [
        (SPECTROGRAM, "{block: conv, input: x, channels: 4, kernel: 3}", "float[batch, 4, 298]", [2]),
        (SPECTROGRAM, "{block: inner, z: x}", "float[batch, 4, 298]", [2]),
        (SPECTROGRAM, "{block: norm, input: x, kind: batch_norm, axis: 1}", "float[batch, 80, 300]", [2]),
        # A spectrogram that is read as an image has positions along both axes.
        (
            SPECTROGRAM,
            f'[{{block: rearrange, input: x, pattern: "b (c f) t -> b c f t", sizes: {{c: 1}}}}, {CONV}]',
            "float[batch, 4, 78, 298]",
            [1, 2],
        ),
        ("50, 8", "[{block: norm, input: x}, {block: linear, dim: 4}]", "float[batch, 50, 4]", [1]),
        ("50, 8", "{block: attention, query: x, heads: 2, mask: all}", "float[batch, 50, 8]", [1]),
        # An image whose channels are the last axis.
        (
            IMAGE,
            f'[{{block: rearrange, input: x, pattern: "b h w c -> b c h w"}}, {CONV}]',
            "float[batch, 4, 22, 30]",
            [1, 2],
        ),
        # Samples of a wave, which have no channels.
        (
            "400",
            f'[{{block: rearrange, input: x, pattern: "b (c n) -> b c n", sizes: {{c: 1}}}}, {CONV}]',
            "float[batch, 4, 398]",
            [1],
        ),
        ("8", "{block: linear, input: x, dim: 4}", "float[batch, 4]", None),
        # Nothing tells the axes of an image apart where all are read at once.
        (
            "3, 4, 5",
            '[{block: rearrange, input: x, pattern: "b c h w -> b (c h w)"}, {block: linear, dim: 2}]',
            "float[batch, 2]",
            [2, 3],
        ),
    ],
)
def test_the_axes_that_number_positions(
    sizes: str, node: str, output: str, axes: list[int] | None, tmp_path: Path
) -> None:
    """Where no dim tells, what reads the input first does."""
    path = tmp_path / "axes.yaml"
    path.write_text(BODY.format(sizes=sizes, node=node, output=output))
    spec = load(path)
    found = position_axes(spec).get(spec.graph.inputs[0])
    assert (None if found is None else list(found)) == axes
