from __future__ import annotations

import pytest
import torch

from archspec.diagnostics import SpecError, render
from archspec.layouts.operations import Shape
from archspec.weights import check_layout, export_weights, import_weights
from tests.weights.tables import OURS, THEIRS, codes, layout_of, only, same, tensors_of

GPT2 = """
prefix: [transformer., ""]
skip: [h.*.attn.bias, lm_head.weight]
map:
  source.table: wte.weight
  states.layers.*:
    from: h.*
    map:
      attention_norm: ln_1
      attention.(q k v).weight: {from: attn.c_attn.weight, transpose: true, split: 0}
"""


def shapes(**sizes: tuple[int, ...]) -> dict[str, Shape]:
    return {name.replace("__", "."): size for name, size in sizes.items()}


def test_packed_projections_are_transposed_and_cut() -> None:
    theirs = tensors_of(THEIRS)
    made = import_weights(OURS, layout_of(GPT2), theirs)
    assert list(made) == list(OURS)
    for layer in range(2):
        packed = theirs[f"h.{layer}.attn.c_attn.weight"]
        for place, part in enumerate("qkv"):
            found = made[f"states.layers.{layer}.attention.{part}.weight"]
            for row in range(4):
                assert torch.equal(found[row], packed[:, 4 * place + row])
    assert made["source.table"].data_ptr() == theirs["wte.weight"].data_ptr()


def test_export_is_the_inverse_with_the_first_prefix() -> None:
    theirs = {name: x for name, x in tensors_of(THEIRS).items() if name != "lm_head.weight"}
    layout = layout_of(GPT2)
    made = import_weights(OURS, layout, theirs)
    assert same(export_weights(OURS, layout, made), {f"transformer.{name}": x for name, x in theirs.items()})
    like = {name: tuple(x.shape) for name, x in theirs.items()}
    assert same(export_weights(OURS, layout, made, like), theirs)


def test_prefixes_are_tried_name_by_name_and_in_skip() -> None:
    theirs = {f"transformer.{name}": shape for name, shape in THEIRS.items() if name != "lm_head.weight"}
    theirs |= {"lm_head.weight": (10, 4), "transformer.h.0.attn.bias": (1, 1, 8, 8), "h.1.attn.bias": (1, 1, 8, 8)}
    check_layout(OURS, layout_of(GPT2), theirs)


def test_the_first_prefix_that_is_there_is_meant_and_the_other_is_left_over() -> None:
    both = {**THEIRS, "transformer.wte.weight": (10, 4)}
    with pytest.raises(SpecError) as raised:
        check_layout(OURS, layout_of(GPT2), both)
    assert only(raised.value).message == "unexpected `wte.weight` [10, 4] in the weights"


def test_all_independent_errors_come_in_one_run() -> None:
    theirs: dict[str, Shape] = {**THEIRS, "wte.weight": (9, 4), "h.1.attn.c_attn.weight": (4, 9), "extra": (3,)}
    del theirs["h.0.ln_1.weight"]
    with pytest.raises(SpecError) as raised:
        check_layout(OURS, layout_of(GPT2), theirs)
    assert sorted(codes(raised.value)) == ["E513", "E514", "E517", "E517"]
    text = render(raised.value.diagnostics)
    for part in (
        "h.0.ln_1.weight",
        "`states.layers.0.attention_norm.weight` [4]",
        "`extra` [3]",
        "`wte.weight` [9, 4]",
    ):
        assert part in text
    assert "`source.table` [10, 4]" in text


def test_the_whole_message() -> None:
    with pytest.raises(SpecError) as raised:
        check_layout(OURS, layout_of(GPT2), {**THEIRS, "h.0.attn.c_attn.weight": (4, 9)})
    assert render(raised.value.diagnostics) == (
        "error[E517]: `h.0.attn.c_attn.weight` [4, 9] does not fit `states.layers.0.attention.q.weight` [4, 4], "
        "`states.layers.0.attention.k.weight` [4, 4], `states.layers.0.attention.v.weight` [4, 4]\n"
        "  --> spec.yaml:10:84\n"
        "   |\n"
        "10 |       attention.(q k v).weight: {from: attn.c_attn.weight, transpose: true, split: 0}\n"
        "   |                                                                                    ^\n"
        "   |\n"
        "   = note: axis 0 has 9 positions, but the parts have 4 + 4 + 4\n"
        "   = help: check the sizes against the checkpoint, and the operations of the line\n"
    )


def test_a_module_name_maps_all_that_it_holds() -> None:
    ours = shapes(norm__weight=(3,), norm__running_mean=(3,), deep__a__b=(2,), deep__c=(1,))
    theirs = shapes(bn__weight=(3,), bn__running_mean=(3,), d__a__b=(2,), d__c=(1,))
    made = import_weights(ours, layout_of("map: {norm: bn, deep: d}"), tensors_of(theirs))
    assert {name: tuple(x.shape) for name, x in made.items()} == ours


def test_a_name_is_no_prefix_of_another_word() -> None:
    ours = shapes(norm__weight=(3,), norm_out__weight=(3,))
    with pytest.raises(SpecError) as raised:
        check_layout(ours, layout_of("map: {norm: a}"), shapes(a__weight=(3,)))
    assert codes(raised.value) == ["E515"]


def test_groups_pair_in_order_and_stand_inside_words() -> None:
    ours = shapes(a__q__weight=(1,), a__k__weight=(2,), b__q__weight=(3,), b__k__weight=(4,))
    theirs = shapes(x__query_proj__weight=(1,), x__key_proj__weight=(2,), y__query_proj__weight=(3,))
    theirs |= shapes(y__key_proj__weight=(4,))
    layout = layout_of("map: {(a b).(q k): (x y).(query key)_proj}")
    given = tensors_of(theirs)
    made = import_weights(ours, layout, given)
    assert torch.equal(made["b.q.weight"], given["y.query_proj.weight"])
    assert same(export_weights(ours, layout, made), given)


def test_one_group_pairs_while_another_is_cut() -> None:
    ours = {f"{place}.{part}.{kind}": (2, 3)[: 2 - "wb".index(kind[0])] for place in ("self", "cross") for part in "qkv"
            for kind in ("weight", "bias")}  # fmt: skip
    theirs = {f"{place}.in_proj_{kind}": (6, 3)[: 2 - "wb".index(kind[0])] for place in ("a", "b")
              for kind in ("weight", "bias")}  # fmt: skip
    layout = layout_of("map: {(self cross).(q k v).(weight bias): {from: (a b).in_proj_(weight bias), split: 0}}")
    given = tensors_of(theirs)
    made = import_weights(ours, layout, given)
    assert torch.equal(made["cross.k.bias"], given["b.in_proj_bias"][2:4])
    assert torch.equal(made["self.v.weight"], given["a.in_proj_weight"][4:6])
    assert same(export_weights(ours, layout, made), given)


def test_parts_take_their_sizes_from_ours() -> None:
    ours = shapes(q=(6, 4), k=(2, 4), v=(2, 4))
    given = tensors_of(shapes(qkv=(4, 10)))
    layout = layout_of("map: {(q k v): {from: qkv, split: 1, transpose: true}}")
    made = import_weights(ours, layout, given)
    assert torch.equal(made["v"], given["qkv"][:, 8:].T)
    assert same(export_weights(ours, layout, made), given)


def test_a_module_is_cut_whole() -> None:
    ours = shapes(q__weight=(2, 3), q__bias=(2,), k__weight=(2, 3), k__bias=(2,))
    given = tensors_of(shapes(qk__weight=(3, 4), qk__bias=(4,)))
    made = import_weights(ours, layout_of("map: {(q k): {from: qk, transpose: true, split: 0}}"), given)
    assert torch.equal(made["k.bias"], given["qk.bias"][2:])
    assert torch.equal(made["k.weight"], given["qk.weight"][:, 2:].T)


def test_an_extra_index_is_stacked() -> None:
    ours = {f"layers.{layer}.experts.gate": (3, 2, 5) for layer in range(2)}
    theirs = {f"l.{layer}.experts.{expert}.w1.weight": (5, 2) for layer in range(2) for expert in range(3)}
    layout = layout_of("map: {layers.*.experts.gate: {from: l.*.experts.*.w1.weight, transpose: true, stack: 0}}")
    given = tensors_of(theirs)
    made = import_weights(ours, layout, given)
    assert torch.equal(made["layers.1.experts.gate"][2], given["l.1.experts.2.w1.weight"].T)
    assert same(export_weights(ours, layout, made), given)
    del theirs["l.1.experts.1.w1.weight"]
    with pytest.raises(SpecError) as raised:
        check_layout(ours, layout, theirs)
    assert only(raised.value).message == "`l.1.experts.1.w1.weight` missing in the weights"


def test_stacked_experts_are_cut_and_joined() -> None:
    ours = shapes(gate=(2, 3, 4), up=(2, 3, 4), both=(2, 6, 4))
    theirs = {f"e.{i}.{name}": (3, 4) for i in range(2) for name in ("w1", "w3")} | {"fused": (2, 6, 4)}
    text = """
    map:
      (gate up): {from: fused, split: 1}
      both: {from: [e.*.w1, e.*.w3], stack: 0, concat: 1}
    """
    given = tensors_of(theirs)
    made = import_weights(ours, layout_of(text), given)
    assert torch.equal(made["up"], given["fused"][:, 3:])
    assert torch.equal(made["both"][1, :3], given["e.1.w1"])
    assert torch.equal(made["both"][0, 3:], given["e.0.w3"])
    assert same(export_weights(ours, layout_of(text), made), given)


def test_unequal_parts_of_a_concat_come_back_from_a_checkpoint_to_be_like() -> None:
    ours, theirs = shapes(positions=(5, 2)), shapes(cls=(1, 2), grid=(4, 2))
    layout = layout_of("map: {positions: {from: [cls, grid], concat: 0}}")
    given = tensors_of(theirs)
    made = import_weights(ours, layout, given)
    with pytest.raises(SpecError) as raised:
        export_weights(ours, layout, made)
    assert codes(raised.value) == ["E517"]
    assert same(export_weights(ours, layout, made, theirs), given)


def test_a_rearranged_convolution_and_its_way_back() -> None:
    ours, theirs = shapes(weight=(2, 12), token=(2,)), shapes(proj=(2, 3, 2, 2), cls=(1, 1, 2))
    text = """
    map:
      weight: {from: proj, rearrange: d c h w -> d (h w c), sizes: {h: 2, w: 2}}
      token: {from: cls, rearrange: 1 1 d -> d}
    """
    given = tensors_of(theirs)
    made = import_weights(ours, layout_of(text), given)
    assert made["weight"][1, 7] == given["proj"][1, 1, 1, 0]
    assert same(export_weights(ours, layout_of(text), made), given)


def test_skip_names_modules_but_not_what_is_mapped() -> None:
    ours, theirs = shapes(pooled__weight=(2,)), shapes(pooler__weight=(2,), pooler__extra=(1,), cls__a__b=(3,))
    check_layout(ours, layout_of("{map: {pooled.weight: pooler.weight}, skip: [pooler, cls]}"), theirs)
    with pytest.raises(SpecError) as raised:
        check_layout(ours, layout_of("{map: {pooled: pooler}, skip: [pooler.(weight extra), cls]}"), theirs)
    assert codes(raised.value) == ["E518"]


def test_rename_rewrites_whole_parts_of_their_names() -> None:
    ours = shapes(norm__weight=(2,), gamma_1=(3,), block__0__a=(1,))
    theirs = shapes(_orig_mod__ln__gamma=(2,), _orig_mod__gamma_1=(3,), _orig_mod__enc__layer_0__a=(1,))
    text = """
    rename: {gamma: weight, _orig_mod: "", enc.layer_*: layers.*}
    map: {norm: ln, gamma_1: gamma_1, block.*: layers.*}
    """
    given = tensors_of(theirs)
    made = import_weights(ours, layout_of(text), given)
    assert torch.equal(made["norm.weight"], given["_orig_mod.ln.gamma"])
    assert torch.equal(made["block.0.a"], given["_orig_mod.enc.layer_0.a"])
    assert same(export_weights(ours, layout_of(text), made, theirs), given)


def test_a_line_set_to_none_is_off() -> None:
    check_layout(shapes(a=(1,)), layout_of("map: {a: x, b: none}"), shapes(x=(1,)))


def test_two_lines_cannot_take_one_tensor() -> None:
    with pytest.raises(SpecError) as raised:
        check_layout(shapes(a=(1,), b=(1,)), layout_of("map: {a: x, b: x}"), shapes(x=(1,)))
    found = only(raised.value)
    assert found.code == "E516"
    assert [label.span.column for label in (found.primary, *found.secondary) if label] == [16, 10]


def test_export_wants_all_of_our_tensors_in_our_shapes() -> None:
    made = tensors_of({**OURS, "source.table": (9, 4), "more": (1,)})
    del made["states.layers.0.attention.q.weight"]
    with pytest.raises(SpecError) as raised:
        export_weights(OURS, layout_of(GPT2), made)
    assert sorted(codes(raised.value)) == ["E513", "E514", "E517"]
