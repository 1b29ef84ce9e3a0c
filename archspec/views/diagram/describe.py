"""Descriptions of single nodes for diagrams: a part, or nothing for a node that only rearranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archspec.ir.call import Call
from archspec.ir.graph import Graph, Node
from archspec.ir.op import Op
from archspec.ops.attention.softcap import Softcap
from archspec.ops.convolution.conv_transpose import ConvTranspose
from archspec.ops.convolution.convolution import Convolution
from archspec.ops.convolution.resize import Resize
from archspec.ops.convolution.window_pool import WindowPool
from archspec.ops.elementwise.activation import Activation
from archspec.ops.elementwise.binary import Binary
from archspec.ops.elementwise.constant import Constant
from archspec.ops.elementwise.unary import Unary
from archspec.ops.linear.embedding import Embedding
from archspec.ops.linear.learned import Learned
from archspec.ops.linear.linear import Linear
from archspec.ops.norm.affine import Affine
from archspec.ops.reduction.masked_pool import MaskedPool
from archspec.ops.reduction.reduce import Reduce
from archspec.ops.routing.experts import Experts
from archspec.ops.routing.routing import Routing
from archspec.ops.shape.take import Take
from archspec.views.diagram.plan import DiagramPart
from archspec.views.diagram.words import said, sentence, size

HIDDEN = {
    *("dropout", "drop_path", "transpose", "merge", "split", "compare", "logical", "make_mask", "with_number", "pad"),
    *("rotary", "rotary_table", "rotary_grid_table", "alibi", "relative_buckets", "relative_grid", "routing"),
    "window_numbers",
}
"""Ops that rearrange, scale or prepare values; diagrams of architectures do not show them."""
_NORMS = {"layer_norm", "rms_norm", "batch_norm", "group_norm"}
_ASIDES = {
    "sinusoidal": "Sinusoidal positions",
    "sinusoids": "Sines and cosines",
    "grid_sincos": "Sinusoidal grid",
    "grid_sinusoidal": "Sinusoidal grid",
    "learned_positions": "Learned positions",
    "counted_positions": "Learned positions",
    "resized_positions": "Learned positions",
}
_TABLES = {"table": "Token embedding", "types": "Type embedding", "positions": "Position embedding"}
_SMALL = {
    "concat": "Concatenate",
    "slice": "Slice",
    "shift": "Shift",
    "roll": "Cyclic shift",
    "matmul": "Matrix product",
    "argmax": "Argmax",
    "l2_normalize": "L2 normalise",
    "where": "Choose",
    "select": "Select",
    "gather_position": "Pick position",
}


def primitive(node: Node) -> DiagramPart | None:
    """The part for a primitive; None for one that is not drawn. An op without an entry gets its own name as title."""
    name = node.op.name
    if name in HIDDEN:
        return None
    if name in _NORMS:
        return DiagramPart(role="norm", title=said(name), kind=name)
    if name in _ASIDES:
        return DiagramPart(role="aside", title=_ASIDES[name], kind=name)
    if name in _SMALL:
        return DiagramPart(role="small", title=_SMALL[name], kind=name)
    known = _SAYING.get(type(node.op))
    return known(node) if known else DiagramPart(role="small", title=sentence(said(name)), kind=name)


def _linear(node: Node) -> DiagramPart:
    """A linear map with its widths, and the parameter to which its weight is tied."""
    into, out = node.inputs[0].type.shape[-1], node.outputs[0].type.shape[-1]
    tied = node.parameters.get("weight")
    notes = [f"{size(into)} → {size(out)}"]
    if tied is not None and "weight" not in node.owned:
        notes.append(f"tied to {tied.path}")
    return DiagramPart(role="linear", title="Linear", kind="linear", notes=tuple(notes))


def _embedding(node: Node) -> DiagramPart:
    """A table with its size, and the path of the table if another node owns it."""
    op = node.op
    assert isinstance(op, Embedding)
    table = node.parameters["table"]
    title = _TABLES.get(table.path.rpartition(".")[2], "Embedding")
    notes = [f"{size(op.rows)} × {size(op.features.size)}"]
    if not table.path.startswith(f"{node.path}."):
        notes.append(f"shares {table.path}")
    return DiagramPart(role="embedding", title=title, kind="embedding", notes=tuple(notes))


def _convolution(node: Node) -> DiagramPart:
    """A convolution with its kernel, channels, stride and groups; one group per channel is called depthwise."""
    op = node.op
    assert isinstance(op, Convolution)
    channels = node.inputs[0].type.shape[1]
    kernel = " × ".join(map(str, op.kernel))
    depthwise = op.groups > 1 and channels == op.groups
    notes = [f"{size(channels)} → {size(op.channels)}"]
    title = f"Depthwise {kernel}" if depthwise else f"Convolution {kernel}"
    if max(op.stride) > 1:
        notes[0] += f", stride {_sides(op.stride)}"
    if op.groups > 1 and not depthwise:
        notes[0] += f", {op.groups} groups"
    return DiagramPart(role="convolution", title=title, kind="convolution", notes=tuple(notes))


def _transposed(node: Node) -> DiagramPart:
    """A transposed convolution with its kernel, channels and stride."""
    op = node.op
    assert isinstance(op, ConvTranspose)
    kernel = " × ".join(map(str, op.kernel))
    notes = [f"{size(node.inputs[0].type.shape[1])} → {size(op.channels)}, stride {_sides(op.stride)}"]
    return DiagramPart(role="convolution", title=f"Transposed {kernel}", kind="convolution", notes=tuple(notes))


def _resize(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, Resize)
    sizes = " × ".join(map(size, op.sizes))
    return DiagramPart(role="small", title=f"Resize to {sizes}", kind="resize", notes=(op.mode,))


def _sides(numbers: tuple[int, ...]) -> str:
    """Numbers of the spatial axes; a single one where they are equal."""
    return str(numbers[0]) if len(set(numbers)) == 1 else " × ".join(map(str, numbers))


def _binary(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, Binary)
    if op.kind == "add":
        return DiagramPart(role="sum", title="+", kind="add")
    signs = {"multiply": "×", "subtract": "−", "divide": "÷"}
    return DiagramPart(role="product", title=signs[op.kind], kind=op.kind)


def _take(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, Take)
    place = {0: "First position", -1: "Last position"}.get(op.index, f"Position {op.index}")
    return DiagramPart(role="pool", title=place, kind="take")


def _reduce(node: Node) -> DiagramPart:
    """A mean, maximum or sum. Reductions over several axes are those of feature maps."""
    op = node.op
    assert isinstance(op, Reduce)
    over = "space" if len(op.axes) > 1 else "positions"
    return DiagramPart(role="pool", title=f"{sentence(op.kind)} over {over}", kind="reduce")


def _masked_pool(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, MaskedPool)
    valid = node.inputs[1].name
    return DiagramPart(
        role="pool", title=f"{sentence(op.kind)} over valid", kind="masked_pool", notes=(valid,) * bool(valid)
    )


def _window(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, WindowPool)
    kernel = " × ".join(map(str, op.kernel))
    return DiagramPart(
        role="pool", title=f"{sentence(op.kind)} pool {kernel}", kind="pool", notes=(f"stride {_sides(op.stride)}",)
    )


def _activation(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, Activation | Unary)
    return DiagramPart(role="small", title=sentence(said(op.kind)), kind="activation")


def _learned(node: Node) -> DiagramPart:
    """A learned tensor, with the name of its parameter, or of its node where the parameter is only called `value`."""
    value = node.parameters.get("value")
    word = value.path.rpartition(".")[2] if value is not None else ""
    word = node.name if word in ("", "value") else word
    return DiagramPart(role="aside", title=sentence(said(word or "learned")), kind="learned")


def _constant(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, Constant)
    number = str(op.number).lower() if isinstance(op.number, bool) else op.number.constant()
    return DiagramPart(role="aside", title=f"Constant {number or ''}".strip(), kind="constant")


def _affine(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, Affine)
    words = "Scale and shift" if op.scale and op.shift else "Scale" if op.scale else "Shift"
    return DiagramPart(role="small", title=f"{words}, learned", kind="affine")


def _softcap(node: Node) -> DiagramPart:
    op = node.op
    assert isinstance(op, Softcap)
    return DiagramPart(role="small", title=f"Softcap {op.cap.constant() or ''}".strip(), kind="softcap")


_SAYING: Mapping[type[Op], Callable[[Node], DiagramPart]] = {
    Linear: _linear,
    Embedding: _embedding,
    Convolution: _convolution,
    ConvTranspose: _transposed,
    Resize: _resize,
    Binary: _binary,
    Take: _take,
    Reduce: _reduce,
    MaskedPool: _masked_pool,
    WindowPool: _window,
    Activation: _activation,
    Unary: _activation,
    Learned: _learned,
    Constant: _constant,
    Affine: _affine,
    Softcap: _softcap,
}


def feed_forward(kind: str, region: Graph) -> DiagramPart | None:
    """The part for a module that is a feed-forward layer or a mixture of experts; None for any other module."""
    called = [node.regions[0] for node in region.nodes if isinstance(node.op, Call)]
    experts = next((node for body in called for node in body.nodes if isinstance(node.op, Experts)), None)
    if experts is not None and len(called) == 1:
        return _mixture(kind, experts, region)
    if any(node.regions for node in region.nodes):
        return None
    maps = {node.name: node for node in region.nodes if isinstance(node.op, Linear)}
    # A user-defined block may have maps of these names and others; it is then drawn like any other module.
    if not {"up", "down"} <= maps.keys() <= {"gate", "up", "down"}:
        return None
    act = next((said(node.op.kind) for node in region.nodes if isinstance(node.op, Activation)), "linear")
    into, inner, out = (maps["up"].inputs[0], maps["up"].outputs[0], maps["down"].outputs[0])
    widths = " → ".join(size(value.type.shape[-1]) for value in (into, inner, out))
    notes = (widths, f"{act}, gated" if "gate" in maps else act)
    return DiagramPart(role="feed_forward", title="Feed forward", kind=kind, notes=notes)


def _mixture(kind: str, experts: Node, region: Graph) -> DiagramPart:
    """A mixture of experts: routing, widths, activation, and whether there is a shared expert."""
    op = experts.op
    assert isinstance(op, Experts)
    number, width = experts.inputs[1].type.shape[-1], experts.inputs[0].type.shape[-1]
    routing = next((node.op for node in region.nodes if isinstance(node.op, Routing)), None)
    act = said(op.activation or "linear")
    notes = [f"{size(width)} → {op.hidden:,} → {size(width)}", f"{act}, gated" if op.gated else act]
    if routing is not None:
        notes.insert(0, f"{routing.top_k} of {number} for each token")
    # The router is a linear map as well, but no expert.
    shared = any(isinstance(node.op, Linear) and node.name != "router" for node in region.nodes)
    notes += ["and one shared expert"] if shared else []
    return DiagramPart(role="feed_forward", title=f"Mixture of {number} experts", kind=kind, notes=tuple(notes))
