"""`archspec compare`: figures against independent ones, the table, and what is refused."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from archspec.analyses.depth import depth
from archspec.cli.compare_command import data_of, text_of
from archspec.diagnostics import SpecError
from archspec.spec import load
from archspec.views.comparison.compare import Comparison
from archspec.views.comparison.compare import compare as compare_all
from archspec.views.comparison.table import counted, ordinal

GOLDEN = Path(__file__).parent / "golden" / "compare.txt"
compare = partial(compare_all, measured=False)


def answers(found: Comparison, key: str) -> list[Any]:
    """The answers of the row with a key."""
    (row,) = (row for section in found.sections for row in section.rows if row.key == key)
    return list(row.answers)


def values(found: Comparison, key: str) -> list[Any]:
    return [one.value for one in answers(found, key)]


@pytest.fixture(scope="module")
def images() -> Comparison:
    return compare(["resnet-50", "vit-b16"])


def test_counts_are_those_of_the_papers(images: Comparison) -> None:
    assert values(images, "parameters") == [25_557_032, 86_567_656]
    # The 50 of the name; 12 layers of four linear maps in a row, the patches and the classifier.
    assert values(images, "depth") == [50, 12 * 4 + 2]


def test_fields_are_those_of_the_recurrence(images: Comparison) -> None:
    """Field r and jump j of the layers of ResNet-50: r += (kernel - 1)*j, then j *= stride."""
    field, jump, expected = 1, 1, []
    for kernel, stride in ((7, 2), (3, 2)):
        field, jump = field + (kernel - 1) * jump, jump * stride
    expected.append((field, jump))
    for layers, first in ((3, 1), (4, 2), (6, 2), (3, 2)):
        for layer in range(layers):
            field, jump = field + 2 * jump, jump * (first if layer == 0 else 1)
        expected.append((field, jump))
    assert expected[3:] == [(267, 16), (427, 32)]
    for number, (extent, stride) in enumerate(expected, 1):
        found = values(images, f"field_stage_{number}")[0]
        assert (found["extent"], found["stride"]) == ([extent] * 2, [str(stride)] * 2)
        assert found["local"]


def test_fields_of_the_transformer(images: Comparison) -> None:
    patches, layers = (values(images, f"field_stage_{number}")[1] for number in (1, 2))
    assert (patches["extent"], patches["stride"], patches["local"]) == ([16, 16], ["16", "16"], True)
    assert (layers["extent"], layers["layers"], layers["local"]) == ([None, None], 12, False)


def test_what_moves_and_what_breaks_it(images: Comparison) -> None:
    resnet, vit = values(images, "moves_up_to")
    assert resnet == {"stage": "stage4", "by": [32, 32], "border": "inside the border", "at_size": "stage2"}
    assert vit is None
    border, patches = values(images, "broken_by")
    assert (border["node"], border["only_at_border"]) == ("stem.0", True)
    assert (patches["node"], patches["only_at_border"]) == ("tokens", False)


def test_positions_inside_are_counted_by_hand(images: Comparison) -> None:
    """Position m of the stem reads the pixels 4*m - 5 to 4*m + 5, one of stage2 those 45 around 8*m."""
    stem = sum(4 * m >= 5 and 4 * m + 5 < 224 for m in range(56))
    stage2 = sum(8 * m >= 45 and 8 * m + 45 < 224 for m in range(28))
    assert f"inside: {stem} of 56" in answers(images, "moves_stage_1")[0].text
    assert f"inside: {stage2} of 28" in answers(images, "moves_stage_3")[0].text


def cell(length: int, padding: str, tmp_path: Path) -> Any:
    """The row `moves up to` of two convolutions of 3, beside a spec of one, on a signal of some length."""
    for name, second in (
        ("flat", ""),
        ("deep", "  z: {block: conv, input: y, channels: 2, kernel: 3, padding: PAD}\n"),
    ):
        text = SIGNAL.format(name=name, padding=padding, second=second.replace("PAD", padding))
        (tmp_path / f"{name}.yaml").write_text(text.replace("last", "z" if second else "y"), encoding="utf-8")
    found = compare([str(tmp_path / "deep.yaml"), str(tmp_path / "flat.yaml")], at={"time": length})
    return answers(found, "moves_up_to")[0]


SIGNAL = """\
archspec: 1
name: {name}
dims: {{batch: [1, 2, 4], time: [1, 16, 64]}}
inputs: {{x: "float[batch, 2, time]"}}
graph:
  y: {{block: conv, input: x, channels: 2, kernel: 3, padding: {padding}}}
{second}outputs: {{last: "float[batch, 2, time]"}}
"""


@pytest.mark.parametrize(
    ("length", "padding", "said", "stage"),
    [
        # Of n positions n - 2 have a field of 3 inside, and n - 4 one of 5; a move takes two.
        (6, "same", "z, by 1 position, inside the border", "z"),
        (5, "same", "z, by 1 position; at this size inside the border up to y", "y"),
        (4, "same", "z, by 1 position; at this size inside the border up to y", "y"),
        (3, "same", "z, by 1 position; at this size no stage has two positions inside the border", None),
        (1, "same", "z, by 1 position; at this size no stage has two positions inside the border", None),
        (2, "circular", "z, by 1 position, everywhere", "z"),
        (1, "circular", "z, by 1 position; at this size no stage has two positions", None),
    ],
)
def test_a_move_is_claimed_only_where_two_positions_show_it(
    length: int, padding: str, said: str, stage: str | None, tmp_path: Path
) -> None:
    found = cell(length, padding, tmp_path)
    assert (found.text, found.value["at_size"]) == (said, stage)


def test_numbers_agree_with_their_words(tmp_path: Path) -> None:
    cell(1, "same", tmp_path)
    found = compare([str(tmp_path / "deep.yaml"), str(tmp_path / "flat.yaml")], at={"time": 1})
    assert answers(found, "input")[0].text == "x: 1 position"
    assert [one.text for one in answers(found, "depth")] == [
        "2 layers with weights in a row",
        "1 layer with weights in a row",
    ]
    assert [counted(number, "layer") for number in (1, 2)] == ["1 layer", "2 layers"]
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "112th"
    ]  # fmt: skip


def test_a_bound_is_a_bound_in_the_data() -> None:
    found = compare(["swin-t", "resnet-50"], reduced=True)
    swin, resnet = answers(found, "field_stage_2")
    assert "at most" in swin.text
    assert (swin.value["at_most"], resnet.value["at_most"]) == (True, False)


def test_mixing_of_the_transformer_is_its_scores_and_values(images: Comparison) -> None:
    (found,) = values(images, "mixing_dynamic")[1:]
    tokens, width, layers = 197, 768, 12
    # Scores and weighted values: two products of tokens x tokens x width in each layer, two FLOPs a multiply-add.
    assert found["flops"] == layers * 2 * 2 * tokens * tokens * width
    assert found["share"] == pytest.approx(found["flops"] / values(images, "flops")[1]["flops"])
    patches = values(images, "mixing_static")[1]
    assert patches["flops"] == 2 * 14 * 14 * 768 * 16 * 16 * 3


def test_convolutions_wider_than_one_mix_and_others_do_not(images: Comparison) -> None:
    """Of a bottleneck only the 3x3 convolution mixes: 2 * 9 * channels^2 at each output position."""
    first = 2 * 49 * 3 * 64 * 112 * 112
    stages = ((64, 56, 3), (128, 28, 4), (256, 14, 6), (512, 7, 3))
    expected = first + sum(layers * 2 * 9 * width * width * size * size for width, size, layers in stages)
    # A shortcut with a stride reads one of every two positions, and mixes none.
    assert values(images, "mixing_static")[0]["flops"] == expected
    assert values(images, "mixing_dynamic")[0]["present"] is False


def test_the_table_of_two_small_specs(update_golden: bool) -> None:
    text = text_of(compare(["resnet-50", "vit-b16"], reduced=True))
    if update_golden:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_lines_fit_a_page(images: Comparison) -> None:
    for count in (2, 3, 4):
        found = compare(["gpt2", "resnet-50", "modernbert-base", "convnext-tiny"][:count])
        assert max(map(len, text_of(found).splitlines())) <= 100
        assert "…" not in text_of(found)
    assert max(map(len, text_of(images).splitlines())) <= 100


def test_a_sequence_is_compared_by_positions() -> None:
    found = compare(["gpt2", "llama-3.2-1b"], at={"length": 64})
    assert [one["positions"] for one in values(found, "input")] == [[64], [64]]
    assert values(found, "broken_by")[0]["node"] == "source"
    assert [one["sizes"]["length"] for one in values(found, "flops")] == [64, 64]
    flops = [load(name).graph for name in ("gpt2", "llama-3.2-1b")]
    assert [depth(graph, graph.outputs[0]) for graph in flops] == [12 * 4 + 1, 16 * 4 + 1]


def test_images_and_text_say_that_they_are_not_alike() -> None:
    found = compare(["resnet-50", "gpt2"])
    assert "positions are not alike: pixels of resnet-50, positions of gpt2" in "\n".join(found.notes)


def test_json_has_every_row_of_the_table(images: Comparison) -> None:
    data = json.loads(json.dumps(data_of(images)))
    assert list(data) == ["specs", "sections", "known", "notes"]
    keys = [row["key"] for section in data["sections"] for row in section["rows"]]
    assert len(keys) == len(set(keys))
    for section in data["sections"]:
        assert list(section) == ["key", "title", "rows"]
        for row in section["rows"]:
            assert len(row["answers"]) == 2
            assert all(one["known"] in data["known"] for one in row["answers"])


@pytest.mark.parametrize(
    ("specs", "options", "code", "said"),
    [
        (["resnet-50"], {}, "E754", "1 spec was given"),
        (["resnet-50", "vit-b16", "resnet-50"], {}, "E754", "resnet-50 was given twice"),
        (["resnet-50", "vit-b99"], {}, "E208", "vit-b99"),
        (["t5-small", "gpt2"], {}, "E755", "has 2 inputs that can be compared: `src_ids`, `tgt_ids`"),
        (["bert-base", "gpt2"], {}, "E755", "has 2 outputs that can be compared: `states`, `pooled`"),
        (["gpt2", "vit-b16"], {"inputs": ["pixel"]}, "E755", "no spec has the input `pixel`"),
        (["gpt2", "vit-b16"], {"outputs": ["logit"]}, "E755", "no spec has the output `logit`"),
        (["gpt2", "vit-b16"], {"at": {"lenght": 3}}, "E755", "no spec has the dim `lenght`"),
        (["gpt2", "vit-b16"], {"at": {"length": 10**6}}, "E716", "the dim `length` of gpt2 is 1000000, expected 1 to"),
        (
            ["clip-vit-b32", "gpt2"],
            {"inputs": ["pixels"], "outputs": ["text_embeds"]},
            "E755",
            "does not depend on `pixels`",
        ),
    ],
)
def test_what_is_refused(specs: list[str], options: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(SpecError) as raised:
        compare(specs, **options)
    (found,) = raised.value.diagnostics
    assert found.code == code
    assert said in found.message


def test_a_spec_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    text = Path(load("vit-b16").path).read_text(encoding="utf-8")
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace("parameters: 86567656", "parameters: 86567657"), encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        compare([str(path), "resnet-50"])
    assert [one.code for one in raised.value.diagnostics] == ["E227"]
    found = compare([str(path), "resnet-50"], unproved=True)
    assert found.specs[0].subject.checked.unproved
    assert "86,567,657" in json.dumps(data_of(found)["specs"])


def test_a_spectrogram_has_its_bins_and_not_its_channel_as_positions() -> None:
    """An axis of one channel in front of the bins: a map of 1 x 1, then patches of 8 that are 4 apart."""
    found = compare(["ast-base", "vit-b16"], reduced=True)
    first, second = (values(found, f"field_stage_{number}")[0] for number in (1, 2))
    assert (first["extent"], first["stride"]) == ([1, 1], ["1", "1"])
    assert (second["extent"], second["stride"]) == ([8, 8], ["4", "4"])
