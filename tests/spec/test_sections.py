"""What every section of a file does, told by the compiled module, by torch's counters and by what a runner takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec import weights
from archspec.analyses.cost import cost
from archspec.checking import check, compile
from archspec.contract.fill import fill
from archspec.diagnostics import SpecError
from archspec.model.inputs import prepare
from archspec.model.ports import interface_of
from archspec.model.samples import generate
from archspec.spec import Spec, check_counts, describe, load
from archspec.spec.claims import claims_of
from tests.editing import edited
from tests.options import option

BASE = """
archspec: 1
name: base
about: A model of two sizes
constants: {vocab: 50, d: 16, layers: 3}
dims: {batch: [1, 2, 4], n: [1, 6, 12]}
inputs:
  ids: int64[batch, n] < vocab
defaults: {norm: layer_norm, bias: false}
graph:
  source: {block: token_embedding, about: where tokens begin, ids: ids, vocab: vocab, dim: d, frozen: true}
  states:
    block: decoder
    input: source
    layers: layers
    residual: pre
    final_norm: true
    attention: {heads: 2, mask: causal}
    feed_forward: {hidden: 4*d, activation: relu}
  logits: {block: lm_head, input: states, tie: source.table}
outputs:
  logits: float[batch, n, vocab]
rules:
  - causal: {output: logits, input: ids}
reduced:
  constants: {d: 8, layers: 1}
  dims: {n: [1, 3, 4]}
decode: {input: ids, output: logits, start: none, end: [1, 2]}
weights:
  theirs:
    map: {source.table: table, states: states}
"""
CHILD = "archspec: 1\nextends: ./base.yaml\nname: child\n"


def loaded(folder: Path, text: str = BASE, **options: bool) -> Spec:
    (folder / "base.yaml").write_text(BASE)
    (folder / "spec.yaml").write_text(text)
    return load(folder / "spec.yaml", **options)


@option("file.archspec", "file.name", "file.about", "block.about")
def test_what_a_file_says_of_itself(tmp_path: Path) -> None:
    spec = loaded(tmp_path)
    assert (spec.name, spec.about, describe(spec.path)) == ("base", "A model of two sizes", "A model of two sizes")
    plain = loaded(tmp_path, edited(BASE, ("about: where tokens begin, ", "")))
    assert compile(plain).state_dict().keys() == compile(spec).state_dict().keys()


@option("file.extends", "file.about=none", "file.decode=none", "file.reduced=none", "file.constants", "file.graph")
def test_a_file_of_another_size(tmp_path: Path) -> None:
    """The same architecture as if it had been written out."""
    over = "about: none\ndecode: none\nreduced: none\nconstants: {d: 8}\ngraph: {states: {attention: {heads: 4}}}\n"
    child = loaded(tmp_path, CHILD + over)
    written = edited(BASE, ("d: 16", "d: 8"), ("heads: 2", "heads: 4"), ("about: A model of two sizes\n", ""))
    assert (child.name, child.about, child.decode) == ("child", None, None)
    modules = [compile(one) for one in (child, loaded(tmp_path, written))]
    modules[1].load_state_dict(modules[0].state_dict(), strict=True)
    ids = torch.randint(0, 50, (2, 7))
    torch.testing.assert_close(modules[0](ids), modules[1](ids), rtol=0, atol=0)


@option("file.reduced", "reduced.constants", "reduced.dims")
def test_the_small_copy(tmp_path: Path) -> None:
    small = loaded(tmp_path, reduced=True)
    shapes = {name: tuple(one.shape) for name, one in compile(small).state_dict().items()}
    assert shapes["source.table"] == (50, 8)
    assert not any(name.startswith("states.layers.1") for name in shapes)
    assert (small.dims["n"].max, small.dims["batch"].max) == (4, 4)
    with pytest.raises(SpecError, match="heads: 2"):
        loaded(tmp_path, edited(BASE, ("constants: {d: 8, layers: 1}", "constants: {d: 9}")), reduced=True)


def counted_by_torch(spec: Spec) -> tuple[int, int, int]:
    """Parameters, trainable ones, and FLOPs at the typical dims, with attention written out as products."""
    module = compile(spec).eval()
    ids = torch.zeros(spec.dims["batch"].typical, spec.dims["n"].typical, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(ids)
    every = list(module.parameters())
    return sum(p.numel() for p in every), sum(p.numel() for p in every if p.requires_grad), counter.get_total_flops()


@option("file.counts", "counts.parameters", "counts.trainable", "counts.flops", "block.frozen=true")
def test_counts_are_those_of_torch(tmp_path: Path) -> None:
    parameters, trainable, flops = counted_by_torch(loaded(tmp_path))
    assert trainable == parameters - 50 * 16
    counts = f"counts: {{parameters: {parameters}, trainable: {trainable}, flops: {flops}}}\n"
    spec = loaded(tmp_path, BASE + counts)
    assert check_counts(spec, cost(spec.graph)) == ()
    for word, number in (("parameters", parameters), ("trainable", trainable), ("flops", flops)):
        spec = loaded(tmp_path, BASE + edited(counts, (f"{word}: {number}", f"{word}: {number + 1}")))
        assert [found.code for found in check_counts(spec, cost(spec.graph))] == ["E227"]
    assert check_counts(loaded(tmp_path, CHILD + edited(counts, (str(flops), "3"))), cost(spec.graph))[0].code == "E227"


@option("file.counts=none", "counts.parameters=none", "counts.trainable=none", "counts.flops=none")
def test_counts_that_are_not_declared_are_not_compared(tmp_path: Path) -> None:
    for counts in ("counts: none\n", "counts: {parameters: none, trainable: none, flops: none}\n", "counts: {}\n"):
        spec = loaded(tmp_path, BASE + counts)
        assert check_counts(spec, cost(spec.graph)) == ()


@option("file.rules", "rule.causal", "rule.output", "rule.input")
def test_rules_are_replaced_as_a_whole(tmp_path: Path) -> None:
    loaded(tmp_path, CHILD)
    assert [verdict.status for verdict in check(tmp_path / "spec.yaml").verdicts] == ["proved", "proved"]
    loaded(tmp_path, CHILD + "rules:\n  - sees: {output: logits, input: ids}\n")
    report = check(tmp_path / "spec.yaml")
    assert str(report.verdicts[0].rule) == "sees(output: logits, input: ids)"
    assert not report.holds


@option("file.defaults", "defaults.norm=none", "defaults.norm", "defaults.bias=false")
def test_a_default_that_is_off_is_missed_where_it_is_asked_for(tmp_path: Path) -> None:
    assert loaded(tmp_path).name == "base"
    with pytest.raises(SpecError) as raised:
        loaded(tmp_path, CHILD + "defaults: {norm: none}\n")
    assert {found.code for found in raised.value.diagnostics} == {"E243"}
    bare = "graph: {states: {residual: bare, final_norm: false}}\n"
    assert loaded(tmp_path, f"{CHILD}defaults: {{norm: none}}\n{bare}").name == "child"


@option("file.weights")
def test_layouts_of_the_file_and_of_another(tmp_path: Path) -> None:
    spec = loaded(tmp_path)
    state = {name: torch.randn(one.shape) for name, one in compile(spec).state_dict().items()}
    theirs = {name.replace("source.table", "table"): tensor for name, tensor in state.items()}
    for text in (BASE, edited(BASE, ("theirs:\n    map:", "theirs: layout.yaml\n#"))):
        (tmp_path / "layout.yaml").write_text("map: {source.table: table, states: states}\n")
        found = weights.load(loaded(tmp_path, text), theirs, "theirs")
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], state[name]) for name in state)


@option("output.from", "output.from=none", "output.type", "file.outputs")
def test_outputs_by_name_and_by_path(tmp_path: Path) -> None:
    inner = 'outputs:\n  logits: float[batch, n, vocab]\n  first: {from: states.layers.0, type: "float[batch, n, d]"}\n'
    spec = loaded(tmp_path, CHILD + inner)
    module, ids, seen = compile(spec), torch.randint(0, 50, (2, 7)), []
    module.states.layers[0].register_forward_hook(lambda *found: seen.append(found[-1]))
    result = module(ids)
    assert torch.equal(result.first, seen[0])
    torch.testing.assert_close(result.logits, compile_with(spec, module, tmp_path)(ids))


def compile_with(spec: Spec, module: torch.nn.Module, folder: Path) -> torch.nn.Module:
    plain = compile(loaded(folder))
    plain.load_state_dict(module.state_dict())
    return plain


INPUTS = """
archspec: 1
name: inputs
dims: {batch: [1, 2, 4], n: [2, 6, 12]}
inputs:
  x: float[batch, n, 4]
  valid: {type: "bool[batch, n]", default: true, padding: left}
  segment: {type: "int64[batch, n]", default: none, sorted: SORTED}
graph:
  y: {block: attend, query: x, key: x, value: x, mask: key_valid(valid) & same_segment(segment)}
outputs:
  y: float[batch, n, 4]
"""


@option("input.default", "input.default=none", "input.padding=left", "input.type")
def test_an_input_with_a_default_may_be_left_out_and_one_without_may_not(tmp_path: Path) -> None:
    module = compile(loaded(tmp_path, edited(INPUTS, ("SORTED", "false"))))
    x, segment = torch.randn(2, 6, 4), torch.tensor([[0, 0, 1, 1, 2, 2]] * 2)
    whole = torch.ones(2, 6, dtype=torch.bool)
    torch.testing.assert_close(module(x, segment=segment), module(x, whole, segment=segment), rtol=0, atol=0)
    with pytest.raises(TypeError, match="segment"):
        module(x)
    port = interface_of(loaded(tmp_path, edited(INPUTS, ("SORTED", "false"))))
    given = {"x": x.numpy(), "segment": segment.numpy()}
    assert prepare(port, given, "float32")["valid"].all()
    for row, fits in (([0, 0, 1, 1, 1, 1], True), ([1, 1, 1, 1, 0, 0], False), ([1, 0, 1, 1, 1, 1], False)):
        valid = np.array([row, [1] * 6], bool)
        if fits:
            prepare(port, {**given, "valid": valid}, "float32")
            continue
        with pytest.raises(SpecError) as raised:
            prepare(port, {**given, "valid": valid}, "float32")
        assert [found.code for found in raised.value.diagnostics] == ["E719"]


@option("input.sorted={promised}")
@pytest.mark.parametrize("promised", [True, False])
def test_a_promise_of_order_is_kept_by_the_tester_and_checked_by_the_runner(promised: bool, tmp_path: Path) -> None:
    spec = loaded(tmp_path, INPUTS.replace("SORTED", str(promised).lower()))
    drawn = [generate(claims_of(spec), {"batch": 3, "n": 8}, "whole", seed)["segment"] for seed in range(5)]
    assert all((np.diff(one) >= 0).all() for one in drawn) == promised
    given = {"x": np.zeros((1, 3, 4), np.float32), "segment": np.array([[0, 2, 1]])}
    if not promised:
        prepare(interface_of(spec), given, "float32")
        return
    with pytest.raises(SpecError) as raised:
        prepare(interface_of(spec), given, "float32")
    assert [found.code for found in raised.value.diagnostics] == ["E720"]


@option("decode.end=none", "decode.start=none", "decode.input", "decode.output")
def test_without_an_end_rows_grow_to_the_last(tmp_path: Path) -> None:
    """Greedy ids are those of the whole forward's largest logits, one after another."""
    spec = loaded(tmp_path, CHILD + "decode: {end: none}\n")
    module = fill(compile(spec), 3, 0.4)
    rows = archspec.generate(spec, [[5, 6, 7], [1, 2, 9]], max_new=9, module=module)
    ids = torch.tensor([[5, 6, 7], [1, 2, 9]])
    for _ in range(9):
        ids = torch.cat([ids, module(ids)[:, -1:].argmax(-1)], 1)
    assert [list(row.ids) for row in rows] == ids[:, 3:].tolist()


@option("decode.ban", "decode.ban=none")
@pytest.mark.parametrize("more", [{}, {"temperature": 1.5, "top_k": 3}])
def test_a_banned_id_is_never_chosen(tmp_path: Path, more: dict[str, float]) -> None:
    """Each id is the likeliest of those that may be chosen, or drawn among them; what would win is banned in turn."""
    free = loaded(tmp_path, CHILD + "decode: {end: none}\n")
    module = fill(compile(free), 3, 0.4)
    prompt, banned = torch.tensor([[5, 6, 7]]), set[int]()
    for _ in range(4):
        spec = loaded(tmp_path, CHILD + f"decode: {{end: none, ban: {sorted(banned) or 'none'}}}\n")
        (row,) = archspec.generate(spec, prompt, max_new=6, module=module, **more)
        assert not banned & set(row.ids)
        likeliest = module(prompt)[0, -1].index_fill(0, torch.tensor(sorted(banned), dtype=torch.int64), -torch.inf)
        if not more:
            assert row.ids[0] == likeliest.argmax()
        banned.add(row.ids[0])


@option("dim.multiple", "dim.min", "dim.typical", "dim.max")
def test_sizes_that_a_runner_takes(tmp_path: Path) -> None:
    text = edited(INPUTS, ("SORTED", "false"), ("n: [2, 6, 12]", "n: {min: 4, typical: 8, max: 12, multiple: 4}"))
    ports = interface_of(loaded(tmp_path, text))
    for size, code in ((4, ""), (12, ""), (3, "E7"), (16, "E7"), (6, "E7")):
        given = {"x": np.zeros((1, size, 4), np.float32), "segment": np.zeros((1, size), np.int64)}
        if not code:
            prepare(ports, given, "float32")
            continue
        with pytest.raises(SpecError) as raised:
            prepare(ports, given, "float32")
        assert all(found.code.startswith(code) for found in raised.value.diagnostics)
