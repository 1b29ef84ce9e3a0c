"""What `check` says of fields: of images and signals always, of sequences where they are bounded."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from archspec.checking.fields import field_text, output_fields
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
