"""Random specs of convolutions, pools, attention and positions, with rules on symmetry.

What is proved must hold on runs of the graph, and what is violated has its measured witness. `tools/fuzz --symmetry N`
judges many.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archspec.diagnostics import Source, SpecError
from archspec.ir.motion import Moves
from archspec.rules.judge import Judge
from archspec.rules.kind import rule_kinds
from archspec.rules.moved_run import witness
from archspec.rules.symmetric import SymmetricKind, motion_of
from archspec.rules.verdict import Verdict
from archspec.spec import Spec
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read

_SIDES = (6, 8, 12)
_RULES = 6


@dataclass
class Writer:
    """One spec as it is written: node lines, and names of values by what they are."""

    r: random.Random
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def node(self, text: str) -> str:
        self.count += 1
        name = f"n{self.count}"
        self.lines.append(f"  {name}: {text}")
        return name

    def maybe(self, share: float) -> bool:
        return self.r.random() < share


def map_step(w: Writer, x: str) -> str:
    """One step from map to map; the number of channels stays 4."""
    padding = w.r.choice(["circular", "circular", "same", "0", "1"])
    kernel = w.r.choice([1, 2, 3]) if padding in ("0", "1") else w.r.choice([1, 3])
    stride = w.r.choice([1, 2]) if padding != "same" else 1
    dilation = w.r.choice([1, 1, 2])
    conv = (
        f"{{block: conv, input: {x}, channels: 4, kernel: {kernel}, padding: {padding}, stride: {stride}, "
        f"dilation: {dilation}, groups: {w.r.choice([1, 2, 4])}}}"
    )
    pool, step = w.r.choice([1, 2, 3]), w.r.choice([1, 2])
    residual = (
        f"{{block: conv_residual, input: {x}, kind: basic, channels: 4, layers: 2, stride: {step}, norm: batch_norm}}"
    )
    enlarged = (
        f"{{block: conv_transpose, input: {x}, channels: 4, kernel: {kernel + 1}, stride: 2, padding: {kernel // 2}}}"
    )
    return w.node(
        w.r.choice(
            [
                conv,
                conv,
                conv,
                f"{{block: {w.r.choice(['avg_pool', 'max_pool'])}, input: {x}, kernel: {pool}, stride: {step}}}",
                f"{{block: avg_pool, input: {x}, kernel: 2}}",
                f"{{block: activation, input: {x}, kind: {w.r.choice(['relu', 'gelu', 'tanh'])}}}",
                f"{{block: norm, input: {x}, kind: batch_norm}}",
                f"{{block: norm, input: {x}, kind: group_norm, groups: 2}}",
                f"{{block: squeeze_excite, input: {x}, reduction: 2}}",
                f"{{block: shift, input: {x}, axis: {w.r.choice([1, 2, 3])}, by: {w.r.choice([-1, 1])}, fill: 0}}",
                f"{{block: slice, input: {x}, axis: {w.r.choice([2, 3])}, start: {w.r.choice([0, 1])}, stop: -1}}",
                residual,
                f"{{block: resize, input: {x}, mode: {w.r.choice(['nearest', 'nearest', 'bilinear'])}, factor: 2}}",
                enlarged,
                f"{{block: roll, input: {x}, axis: {w.r.choice([2, 3])}, by: {w.r.choice([-1, 1])}}}",
                f"{x} * sigmoid({x}) + {x}",
            ]
        )
    )


def token_step(w: Writer, x: str, grid: str = "") -> str:
    """One step from tokens to tokens, whose last ones are a grid if there is one."""
    mask = w.r.choice(["all", "all", "all", "causal", "last(2)", "within(1)", "within(1) & causal", "prefix(1)"])
    positions = w.r.choice(
        [
            "",
            "",
            ", positions: alibi",
            ", positions: {kind: rotary, layout: half}",
            ", positions: {kind: relative_buckets, buckets: 4, max_distance: 8, bidirectional: true, share: true}",
        ]
    )
    heads = 2
    if grid and w.maybe(0.5):
        # A pair of features is turned by the row, and one by the column.
        heads, turn = 1, f"layout: half, coordinates: {w.r.choice(['index', 'centred'])}"
        positions = f", positions: {{kind: rotary_grid, grid: {grid}, {turn}}}"
    stack = (
        f"{{block: transformer, input: {x}, layers: {w.r.choice([1, 2])}, residual: {w.r.choice(['pre', 'post'])}, "
        f"final_norm: false, attention: {{heads: {heads}, mask: {mask}{positions}}}, "
        "feed_forward: {hidden: 4, activation: relu}}"
    )
    return w.node(
        w.r.choice(
            [
                stack,
                stack,
                f"{{block: attend, query: {x}, key: {x}, value: {x}, mask: {mask}, heads: 2}}",
                f"{{block: linear, input: {x}, dim: 4}}",
                f"{{block: norm, input: {x}, kind: layer_norm}}",
                f"{{block: add_positions, input: {x}, kind: {w.r.choice(['sinusoidal', 'learned, length: 400'])}}}",
                f"{{block: slice, input: {x}, axis: 1, start: {w.r.choice([0, 1])}}}",
                f"{{block: shift, input: {x}, axis: 1, by: 1, fill: 0}}",
                f"{{block: activation, input: {x}, kind: gelu}}",
                f"{x} + {x}",
            ]
        )
    )


def joined(w: Writer, x: str, y: str) -> str:
    """Two maps of like shape, or so it is hoped: the spec is refused otherwise, and another one is drawn."""
    return w.node(
        w.r.choice([f"{x} + {y}", f"{x} * {y}", f"{{block: matmul, left: {x}, right: {y}, transpose_right: true}}"])
    )


def images(r: random.Random) -> str:
    """A spec over maps, sometimes read as patches."""
    w = Writer(r)
    x, rules = "pixels", []
    for _ in range(r.randint(1, 5)):
        before, x = x, map_step(w, x)
        if w.maybe(0.25) and before != "pixels":
            x = joined(w, before, x)
    out = x
    rules += [(out, "[2, 2]", "pixels"), (out, "[3, 3]", "pixels"), (out, r.choice(["[2, 3]", "[3, 2]"]), "pixels")]
    if w.maybe(0.5):
        grid = sides(w, x)
        out = w.node(f'{{block: rearrange, input: {x}, pattern: "b c h w -> b (h w) c"}}')
        if w.maybe(0.4):
            token = w.node("{block: learned, shape: [batch, 1, 4]}")
            out = w.node(f"{{block: concat, inputs: [{token}, {out}], axis: 1}}")
        for _ in range(r.randint(1, 3)):
            out = token_step(w, out, grid)
        rules += [(out, "[1, 2]", "pixels")]
        kind = r.choice(["first", "mean", "max", "last"])
        end = w.node(f"{{block: pool, input: {out}, kind: {kind}}}")
    elif w.maybe(0.3):
        end = w.node(f'{{block: rearrange, input: {x}, pattern: "b c h w -> b (c h w)"}}')
    else:
        end = w.node(f"{{block: pool, input: {x}, kind: {r.choice(['mean', 'max'])}}}")
    end = w.node(f"{{block: linear, input: {end}, dim: 3}}")
    written = [equivariant(r, *rule) for rule in rules]
    written += [
        f"invariant: {{output: {end}, input: pixels, axis: {a}, stride: {r.choice([1, 2, 4])}}}" for a in (2, 3)
    ]
    return text(r, "pixels: float[batch, 4, rows, columns]", w, end, written)


def sides(w: Writer, x: str) -> str:
    """Rows and columns of a map as they are written; empty where the spec so far is none."""
    lines = "\n".join(w.lines)
    text = f"""archspec: 1
name: sides
dims: {{batch: [1, 2, 4], rows: [8, 16, 64], columns: [8, 16, 64]}}
inputs:
  pixels: float[batch, 4, rows, columns]
graph:
{lines}
  end: {{block: pool, input: {x}, kind: mean}}
outputs:
  end: float[batch, 4]
"""
    try:
        shape = elaborate(read(Source("sides.yaml", text)), path=Path("sides.yaml")).values[x].type.shape
    except SpecError:
        return ""
    return f"[{shape[2]}, {shape[3]}]"


def sequences(r: random.Random) -> str:
    """A spec over tokens, or over a signal that becomes tokens."""
    w = Writer(r)
    x = "tokens"
    for _ in range(r.randint(1, 4)):
        x = token_step(w, x)
    end = w.node(f"{{block: pool, input: {x}, kind: {r.choice(['mean', 'max', 'first', 'last'])}}}")
    written = [equivariant(r, x, "[1, 1]", "tokens") for _ in range(3)]
    written.append(f"invariant: {{output: {end}, input: tokens, axis: 1}}")
    return text(r, "tokens: float[batch, rows, 4]", w, end, written)


def equivariant(r: random.Random, output: str, axes: str, source: str) -> str:
    border = r.choice(["interior", "circular"])
    stride = r.choice([1, 1, 2, 2, 4, "1/2"])
    return f"equivariant: {{output: {output}, input: {source}, axis: {axes}, stride: {stride}, border: {border}}}"


def text(r: random.Random, given: str, w: Writer, end: str, rules: list[str]) -> str:
    fixed = r.random() < 0.4
    sides = r.choice(_SIDES), r.choice(_SIDES)
    multiple = r.choice([1, 2, 4, 8])
    dims = f"rows: {{min: 8, typical: 16, max: 64, multiple: {multiple}}}"
    columns = f"columns: {{min: 8, typical: 16, max: 64, multiple: {r.choice([1, 2, 4])}}}"
    constants = ""
    if fixed or "columns" not in given:
        columns = ""
    if fixed:
        constants, dims = f"constants: {{rows: {2 * sides[0]}, columns: {sides[1]}}}\n", ""
    inner = ", ".join(one for one in ("batch: [1, 2, 4]", dims, columns) if one)
    size = 3 if "pixels" in given else 4
    parts = [
        f"archspec: 1\nname: fuzz\n{constants}dims: {{{inner}}}\ninputs:\n  {given}\ndefaults: {{norm: layer_norm}}",
        "graph:",
        *w.lines,
        f"outputs:\n  {end}: float[batch, {size}]\nrules:",
        *(f"  - {one}" for one in rules),
    ]
    return "\n".join(parts) + "\n"


def drawn(seed: int) -> tuple[str, Spec] | None:
    """The spec of a seed, if it is one: sizes that do not fit are refused."""
    r = random.Random(seed)
    made = images(r) if r.random() < 0.7 else sequences(r)
    try:
        return made, elaborate(read(Source("fuzz.yaml", made)), path=Path("fuzz.yaml"))
    except SpecError:
        return None


def verdicts(spec: Spec) -> Iterator[tuple[Verdict, str]]:
    """The verdict on each rule, and what a run contradicts in it; empty if nothing."""
    judge = Judge(spec)
    for rule in spec.rules:
        verdict = judge.verdict(rule)
        yield verdict, wrong(judge, verdict) if verdict.status == "proved" else ""


def wrong(judge: Judge, verdict: Verdict) -> str:
    """The witness against a rule that is proved, in words."""
    rule = verdict.rule
    kind = rule_kinds()[rule.kind]
    assert isinstance(kind, SymmetricKind)
    circular = kind.circular(rule)
    motion = None if circular else motion_of(judge.spec.graph, rule, circular=False)
    assert motion is None or isinstance(motion, Moves)
    found = witness(judge.spec, rule, motion, judge.evidence.terms)
    return "" if found is None else f"{rule}: off by {found.largest:.2g} at {found.at}, sizes {dict(found.sizes)}"


def outcome(verdict: Verdict) -> str:
    """The status, or `vacuous` for a rule that says nothing."""
    codes = {one.code for one in verdict.diagnostics}
    return "vacuous" if "E425" in codes else verdict.status


def run(seeds: Sequence[int]) -> tuple[Counter[str], list[str]]:
    """How many rules of the specs of some seeds have each outcome, and what a run contradicts, with the spec."""
    counts: Counter[str] = Counter()
    unsound = []
    for seed in seeds:
        made = drawn(seed)
        for verdict, contradiction in verdicts(made[1]) if made else ():
            counts[outcome(verdict)] += 1
            if made and contradiction:
                unsound.append(f"seed {seed}: {contradiction}\n{made[0]}")
    return counts, unsound


def told(counts: Counter[str], unsound: Sequence[str]) -> str:
    """The outcomes on one line."""
    total = counts.total()
    each = ", ".join(f"{count} {found}" for found, count in sorted(counts.items()))
    return f"{total} rules: {each}; {len(unsound)} unsound, {1 - counts['unknown'] / max(1, total):.1%} decided"
