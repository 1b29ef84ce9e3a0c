"""Blocks of one's own, reuse of a node, and chains."""

from __future__ import annotations

from collections.abc import Callable

from tests.yaml_fuzz import moves, sequences
from tests.yaml_fuzz.draft import WIDTH, Dim, Draft, Made
from tests.yaml_fuzz.masks import Masker

_INSIDE: tuple[Callable[[Draft], Made | None], ...] = (
    sequences.attend,
    sequences.attend,
    sequences.pointwise,
    sequences.elementwise,
    moves.shift,
    moves.split,
    moves.split,
    sequences.convolve,
    sequences.pool,
    sequences.spread,
    sequences.product,
)


def composite(draft: Draft) -> Made | None:
    """A block with a random body, called once or repeated."""
    r = draft.r
    x = draft.recent(draft.sequences())
    name = f"own{len(draft.blocks)}"
    inner = _inner(draft, x)
    valid = [v for v in (*draft.of("bool", x.axes[:2]), *draft.of("int64", x.axes[:2])) if v.bound is None]
    arguments, reads = [f"x: {x.name}"], [x]
    control = r.choice(valid) if valid and r.random() < 0.5 else None
    if control is not None:
        inner.feed("c", inner.inputs["x"].axes[:2], control.dtype)
        inner.given["c"] = inner.inputs["c"].type()
        arguments.append(f"c: {control.name}")
        reads.append(control)
    masked = r.random() < 0.4
    last = _body(inner, masked)
    if last is None:
        return None
    used = {key: value for key, value in inner.inputs.items() if key in inner.used}
    if "x" not in used:
        return None
    if "c" not in used:
        arguments = [one for one in arguments if not one.startswith("c:")]
        reads = [one for one in reads if one is not control]
    fields = ["    fields: {masked: mask}"] if masked else []
    if masked:
        mask = Masker(draft, x.axes[0], x.axes[1], x.axes[1]).mask()
        arguments.append(f"masked: {mask.text}")
        reads += [v for v in draft.values if v.name in mask.names]
    draft.blocks[name] = "\n".join(
        (
            f"  {name}:",
            *fields,
            "    inputs:",
            *(f"      {key}: {value.type()}" for key, value in used.items()),
            "    graph:",
            *(f"      {key}: {text}" for key, text in inner.nodes.items()),
            "    outputs:",
            f"      {last.name}: {last.type()}",
        )
    )
    repeat = f", repeat: {r.choice((2, 3))}" if last.axes == inner.inputs["x"].axes and r.random() < 0.6 else ""
    share = ", share: true" if repeat and r.random() < 0.3 else ""
    axes = (*x.axes[:1], x.axes[1], x.axes[2])
    return draft.node(name, f"{', '.join(arguments)}{repeat}{share}", axes, reads=reads)


def _inner(draft: Draft, x: Made) -> Draft:
    inner = Draft(draft.r, draft.words)
    multiple = max(draft.parts(x.axes[1]), default=1)
    inner.dims = {"b": Dim("b", 1, 2, 3), "n": Dim("n", 1, 2, 3, multiple)}
    inner.probes = [{"b": b, "n": n} for b, n in zip(x.axes[0].values, x.axes[1].values, strict=True)]
    inner.feed("x", (inner.size("b"), inner.size("n"), inner.size(WIDTH)))
    return inner


def _body(inner: Draft, masked: bool) -> Made | None:
    """Steps until all is used up in one value of the type of `x`."""
    r, x = inner.r, inner.values[0]
    if masked:
        inner.node("attend", f"query: {x.name}, key: {x.name}, value: {x.name}, mask: masked", x.axes, reads=[x])
    for _ in range(r.choice((1, 1, 2))):
        r.choice(_INSIDE)(inner)
    sinks = [v for v in inner.values if v.name in inner.nodes and v.name not in inner.used]
    same = [v for v in sinks if v.axes == x.axes and v.dtype == "float"]
    if not same or len(same) < len(sinks):
        return None
    last = same[0]
    for other in same[1:]:
        last = inner.expression(f"{last.name} + {other.name}", x, [last, other])
    if r.random() < 0.5:
        last = inner.expression(f"{x.name} + {last.name}", x, [x, last])
    return last


def reuse(draft: Draft) -> Made | None:
    """The same module on another input of the same axes."""
    r = draft.r
    known = []
    for value in draft.values:
        text = draft.nodes.get(value.name, "")
        if text.startswith("{block:") and ", input: " in text and "repeat" not in text:
            known.append((value, text.split(", input: ")[1].split(",")[0].rstrip("}")))
    if not known:
        return None
    first, name = r.choice(known)
    source = next((v for v in draft.values if v.name == name), None)
    others = [] if source is None else [v for v in draft.of(source.dtype, source.axes) if v.name != name]
    if not others:
        return None
    other = r.choice(others)
    made = draft.fresh()
    draft.nodes[made] = f"{{reuse: {first.name}, input: {other.name}}}"
    return draft.made(made, first.axes, first.dtype, "", [first, other], first.bound)


def chain(draft: Draft) -> Made | None:
    """Some blocks one after another, in one node."""
    x = draft.recent(draft.sequences())
    name = draft.fresh()
    parts = [
        f"{{block: linear, input: {x.name}, dim: 6}}",
        "{block: activation, kind: gelu}",
        f"{{block: linear, dim: {WIDTH}}}",
    ]
    draft.nodes[name] = f"[{', '.join(parts)}]"
    return draft.made(name, x.axes, "float", "", [x])
