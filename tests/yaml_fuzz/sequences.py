"""Random steps on sequences: everything that is no mere move, no stack of layers and no image."""

from __future__ import annotations

from tests.yaml_fuzz.draft import VOCAB, WIDTH, Draft, Made
from tests.yaml_fuzz.masks import Masker, predicate

_ACTIVATIONS = ("gelu", "silu", "tanh", "sigmoid")


def attend(draft: Draft) -> Made | None:
    """Attention without projections."""
    r = draft.r
    x = draft.recent(draft.sequences())
    keys = [v for v in draft.sequences() if v.axes[0] == x.axes[0]]
    k = r.choice(keys) if r.random() < 0.5 else x
    v = r.choice([other for other in keys if other.axes[1] == k.axes[1]])
    mask = Masker(draft, x.axes[0], x.axes[1], k.axes[1]).mask()
    heads, weights = r.choice((1, 1, 2)), r.choices(("softmax", "sigmoid", "relu_squared"), (6, 1, 1))[0]
    reads = [x, k, v, *(value for value in draft.values if value.name in mask.names)]
    fields = f"query: {x.name}, key: {k.name}, value: {v.name}, heads: {heads}, mask: {mask.text}, weights: {weights}"
    square = draft.of("float", (x.axes[1], k.axes[1]))
    if square and r.random() < 0.3:
        reads.append(square[0])
        fields += f", add: {square[0].name}"
    return draft.node("attend", fields, x.axes, reads=reads)


def moved(draft: Draft) -> Made | None:
    """Attention to what was shifted before, by a mask over where it stands now."""
    r = draft.r
    x = draft.recent(draft.sequences())
    controls = [*draft.of("bool", x.axes[:2]), *draft.of("int64", x.axes[:2])]
    pred = predicate(draft, controls, 0)
    if pred is None:
        return None
    draft.preds.append(pred)
    y = draft.node("shift", f"input: {x.name}, axis: 1, by: {r.choice((1, -1))}", x.axes, reads=[x])
    reads = [x, y, *(v for v in draft.values if v.name in pred.names)]
    fields = f"query: {r.choice((x, y)).name}, key: {y.name}, value: {y.name}, mask: key_valid({pred.text})"
    return draft.node("attend", fields, x.axes, reads=reads)


def sublayer(draft: Draft) -> Made | None:
    """A sublayer of a stack on its own, and what moves or drops whole rows."""
    r = draft.r
    x = draft.recent(draft.sequences())
    way = r.choice(("attention", "attention", "feed_forward", "drop_path", "roll"))
    if way == "feed_forward":
        more = r.choice(("", ", gated: true", ", gated: true, clamp: {limit: 2, offset: 1}"))
        return draft.node(way, f"input: {x.name}, hidden: 6, activation: silu{more}", x.axes, reads=[x])
    if way == "drop_path":
        return draft.node(way, f"input: {x.name}, rate: 0.1", x.axes, reads=[x])
    if way == "roll":
        return draft.node(way, f"input: {x.name}, axis: 1, by: {r.choice((1, -1, 2))}", x.axes, reads=[x])
    keys = [v for v in draft.sequences() if v.axes[0] == x.axes[0]]
    k = r.choice(keys) if r.random() < 0.4 else x
    mask = Masker(draft, x.axes[0], x.axes[1], k.axes[1]).mask()
    reads = [x, k, *(value for value in draft.values if value.name in mask.names)]
    memory = "" if k is x else f", memory: {k.name}"
    n, parts = x.axes[1], draft.parts(x.axes[1])
    windows = ""
    # Positions of an image have a grid of their own, which may be another.
    if k is x and parts and not draft.ranked(4) and r.random() < 0.5:
        windows = f", windows: {{grid: [1, {n.text}], size: [1, {r.choice(parts)}], shift: 0}}"
    return draft.node(way, f"query: {x.name}{memory}, heads: 2, mask: {mask.text}{windows}", x.axes, reads=reads)


def around(draft: Draft) -> Made | None:
    """A convolution along the positions that goes around their ends, and strides over them."""
    x = draft.recent(draft.sequences())
    b, n, d = x.axes
    parts = draft.parts(n)
    if not parts or min(n.values) < 3:
        return None
    k = draft.r.choice(parts)
    size = draft.over(n, k)
    turned = draft.node("rearrange", f"input: {x.name}, pattern: b n d -> b d n", (b, d, n), reads=[x])
    fields = f"input: {turned.name}, channels: {WIDTH}, kernel: 3, padding: circular, stride: {k}"
    y = draft.node("conv", fields, (b, d, size), reads=[turned])
    return draft.node("rearrange", f"input: {y.name}, pattern: b d n -> b n d", (b, size, d), reads=[y])


def rotated(draft: Draft) -> Made | None:
    """Attention whose positions turn by rows and columns: those of an image, behind tokens or not, or of one row."""
    r = draft.r
    x = draft.recent(draft.sequences())
    grid, _, front = x.axes[1].text.partition(" + ")
    sides = grid.split("*")
    if (front and not front.isdigit()) or len(sides) > 2 or "(" in grid:
        return None
    if len(sides) == 1 and draft.ranked(4):
        # It may be a grid of its own, whose sides the text no longer tells.
        return None
    rows, columns = sides if len(sides) == 2 else ("1", grid)
    mask = Masker(draft, x.axes[0], x.axes[1], x.axes[1]).mask()
    reads = [x, *(value for value in draft.values if value.name in mask.names)]
    turn = f"kind: rotary_grid, grid: [{rows}, {columns}], layout: {r.choice(('half', 'interleaved'))}"
    turn += f", coordinates: {r.choice(('index', 'centred'))}, frequencies: {r.choice(('shared', 'alternating'))}"
    fields = f"query: {x.name}, heads: 1, mask: {mask.text}, positions: {{{turn}}}"
    return draft.node("attention", fields, x.axes, reads=reads)


def merge(draft: Draft) -> Made | None:
    """Positions of a grid of two rows, which are two values one after another, put side by side."""
    x = draft.recent(draft.sequences())
    others = [v for v in draft.sequences() if v.axes == x.axes]
    y = draft.r.choice(others)
    axes = (x.axes[0], draft.total([x.axes[1], x.axes[1]]), x.axes[2])
    both = draft.node("concat", f"inputs: [{x.name}, {y.name}], axis: 1", axes, reads=[x, y])
    grid = f"grid: [2, {x.axes[1].text}], patch: [2, 1]"
    return draft.node("patch_merging", f"input: {both.name}, {grid}, dim: {WIDTH}", x.axes, reads=[both])


def waves(draft: Draft) -> Made | None:
    """Sines and cosines of one feature of each position."""
    x = draft.recent(draft.sequences())
    b, n, _ = x.axes
    one, width = draft.size(1), draft.size(WIDTH)
    first = draft.node("slice", f"input: {x.name}, axis: 2, stop: 1", (b, n, one), reads=[x])
    order = draft.r.choice(("", ", layout: halves, first: cosine"))
    fields = f"input: {first.name}, dim: {WIDTH}{order}"
    y = draft.node("sinusoidal_embedding", fields, (b, n, one, width), reads=[first])
    return draft.node("rearrange", f"input: {y.name}, pattern: b n 1 k -> b n k", x.axes, reads=[y])


def pointwise(draft: Draft) -> Made | None:
    """A map of each position alone."""
    r = draft.r
    x = draft.recent(draft.sequences())
    block, fields = r.choice(
        (
            ("linear", f"dim: {WIDTH}"),
            ("linear", f"dim: {WIDTH}, bias: false, activation: {r.choice(_ACTIVATIONS)}"),
            ("norm", "kind: layer_norm"),
            ("norm", "kind: rms_norm, unit_offset: true"),
            ("activation", f"kind: {r.choice(_ACTIVATIONS)}"),
            ("affine", "shift: true"),
            ("l2_normalize", "axis: -1"),
            ("dropout", "rate: 0.1"),
        )
    )
    return draft.node(block, f"input: {x.name}, {fields}", x.axes, reads=[x])


def over_positions(draft: Draft) -> Made | None:
    """What mixes all positions without a mask: a norm along them."""
    x = draft.recent(draft.sequences())
    return draft.node("l2_normalize", f"input: {x.name}, axis: 1, eps: 0.1", x.axes, reads=[x])


def elementwise(draft: Draft) -> Made | None:
    """An expression over two values."""
    r = draft.r
    x = draft.recent(draft.ranked(3) or draft.ranked(4))
    others = [v for v in draft.of("float", x.axes) if v is not x]
    small = list(draft.of("float", x.axes[1:]))
    other = r.choice(others + small) if others or small else None
    if other is None:
        return draft.expression(r.choice((f"tanh({x.name})", f"{x.name} * 2", f"silu({x.name}) + 1")), x, [x])
    a, b = x.name, other.name
    text = r.choice((f"{a} + {b}", f"{a} * sigmoid({b})", f"{a} - 0.5 * {b}", f"{a} * {b} + {a}"))
    return draft.expression(text, x, [x, other])


def select(draft: Draft) -> Made | None:
    """Positions set to a number where a predicate is false."""
    if "select" not in draft.words:
        return None
    x = draft.recent(draft.sequences())
    pred = predicate(draft, [*draft.of("bool", x.axes[:2]), *draft.of("int64", x.axes[:2])])
    if pred is None:
        return None
    reads = [x, *(v for v in draft.values if v.name in pred.names)]
    others = [v for v in draft.of("float", x.axes) if v is not x]
    more = ""
    if others and draft.r.random() < 0.4:
        reads.append(others[0])
        more = f", otherwise: {others[0].name}"
    return draft.node("select", f"input: {x.name}, where: {pred.text}{more}", x.axes, reads=reads)


def pool(draft: Draft) -> Made | None:
    """One vector of all positions, spread over a sequence again or not."""
    r = draft.r
    x = draft.recent(draft.sequences())
    kind = r.choice(("first", "last", "mean", "max", "mean", "at"))
    fields, reads = f"input: {x.name}, kind: {kind}", [x]
    if kind == "at":
        known = [v for v in draft.of("int64", x.axes[:1]) if v.fed and min(x.axes[1].values) >= (v.bound or 99)]
        if not known:
            return None
        fields, reads = f"{fields}, index: {known[0].name}", [x, known[0]]
    elif kind != "first":
        pred = predicate(draft, [*draft.of("bool", x.axes[:2]), *draft.of("int64", x.axes[:2])])
        if pred is not None and r.random() < 0.7:
            fields += f", valid: {pred.text}"
            reads += [v for v in draft.values if v.name in pred.names]
    return draft.node("pool", fields, (x.axes[0], x.axes[2]), reads=reads)


def spread(draft: Draft) -> Made | None:
    """A vector added to all positions of a sequence."""
    flat = [v for v in draft.ranked(2) if v.axes[1].constant == WIDTH and not v.fed]
    if not flat:
        return None
    v = draft.recent(flat)
    wide = draft.node(
        "rearrange",
        f'input: {v.name}, pattern: "b (n d) -> b n d", sizes: {{n: 1}}',
        (v.axes[0], draft.size(1), v.axes[1]),
        reads=[v],
    )
    xs = [x for x in draft.sequences() if x.axes[0] == v.axes[0] and x.name != wide.name]
    x = draft.r.choice(xs) if xs else wide
    return draft.expression(f"{x.name} + {wide.name}", x, [x, wide])


def convolve(draft: Draft) -> Made | None:
    """A convolution, or a window pool, along the positions."""
    r = draft.r
    x = draft.recent(draft.sequences())
    b, n, d = x.axes
    turned = draft.node("rearrange", f"input: {x.name}, pattern: b n d -> b d n", (b, d, n), reads=[x])
    size, how = n, r.choice(("same", "same", "circular", "front", "stride", "pool", "excite", "valid"))
    if how in ("same", "circular"):
        groups = r.choice(("", "", ", groups: 4"))
        dilation = ", dilation: 2" if r.random() < 0.3 and how == "same" else ""
        if how == "circular" and min(n.values) < 3:
            return None
        y = draft.node(
            "conv",
            f"input: {turned.name}, channels: {WIDTH}, kernel: 3, padding: {how}{groups}{dilation}",
            (b, d, n),
            reads=[turned],
        )
    elif how == "front":
        kernel = r.choice((2, 3))
        size = draft.plus(n, kernel - 1)
        wide = draft.node(
            "conv",
            f"input: {turned.name}, channels: {WIDTH}, kernel: {kernel}, padding: {kernel - 1}",
            (b, d, size),
            reads=[turned],
        )
        y = draft.node("slice", f"input: {wide.name}, axis: 2, stop: -{kernel - 1}", (b, d, n), reads=[wide])
        size = n
    elif how == "valid":
        if min(n.values) < 3:
            return None
        size = draft.plus(n, -2)
        y = draft.node("conv", f"input: {turned.name}, channels: {WIDTH}, kernel: 3", (b, d, size), reads=[turned])
    elif how == "excite":
        y = draft.node("squeeze_excite", f"input: {turned.name}, reduction: 2", (b, d, n), reads=[turned])
    else:
        parts = draft.parts(n)
        if not parts:
            return None
        k = r.choice(parts)
        size = draft.over(n, k)
        block = f"channels: {WIDTH}, kernel: {k}, stride: {k}" if how == "stride" else f"kernel: {k}"
        y = draft.node(
            "conv" if how == "stride" else r.choice(("max_pool", "avg_pool")),
            f"input: {turned.name}, {block}",
            (b, d, size),
            reads=[turned],
        )
    return draft.node("rearrange", f"input: {y.name}, pattern: b d n -> b n d", (b, size, d), reads=[y])


def product(draft: Draft) -> Made | None:
    """Products of matrices: all pairs of positions, or weights of them."""
    r = draft.r
    x = draft.recent(draft.sequences())
    y = r.choice([v for v in draft.sequences() if v.axes[0] == x.axes[0]])
    scores = draft.node(
        "matmul",
        f"left: {x.name}, right: {y.name}, transpose_right: true",
        (x.axes[0], x.axes[1], y.axes[1]),
        reads=[x, y],
    )
    return draft.node("matmul", f"left: {scores.name}, right: {y.name}", x.axes, reads=[scores, y])


def best(draft: Draft) -> Made | None:
    """Ids that are chosen by scores: a control that depends on parameters."""
    x = draft.recent(draft.sequences())
    return draft.node("argmax", f"input: {x.name}, axis: -1", x.axes[:2], "int64", [x], WIDTH)


def embed(draft: Draft) -> Made | None:
    """A table of tokens, with positions."""
    r = draft.r
    known = [v for v in draft.ranked(2, "int64") if v.bound is not None and v.bound <= VOCAB]
    if not known:
        return None
    ids = draft.recent(known)
    reads, fields = [ids], f"ids: {ids.name}, vocab: {VOCAB}, dim: {WIDTH}"
    way = r.choice(("none", "none", "learned", "sinusoidal", "count", "count", "ids", "types"))
    valid = draft.of("bool", ids.axes)
    if way == "learned":
        fields += f", positions: {{kind: learned, length: {max(ids.axes[1].values)}}}"
    elif way == "sinusoidal":
        fields += ", positions: sinusoidal"
    elif way == "count" and valid:
        reads.append(valid[0])
        fields += f", positions: {{kind: learned, length: {max(ids.axes[1].values)}, count: {valid[0].name}}}"
    elif way == "ids":
        fields += f", positions: {{kind: learned, length: {VOCAB}, ids: {ids.name}}}"
    elif way == "types":
        fields += f", types: {{ids: {ids.name}, count: {VOCAB}}}"
    if r.random() < 0.2:
        fields += ", norm: layer_norm"
    return draft.node("token_embedding", fields, (*ids.axes, draft.size(WIDTH)), reads=reads)


def add_positions(draft: Draft) -> Made | None:
    """Positions added to a sequence."""
    x = draft.recent(draft.sequences())
    kind = draft.r.choice((f"kind: learned, length: {max(x.axes[1].values)}", "kind: sinusoidal"))
    return draft.node("add_positions", f"input: {x.name}, {kind}", x.axes, reads=[x])


def head(draft: Draft) -> Made | None:
    """Scores of tokens, tied to a table where there is one."""
    x = draft.recent(draft.sequences())
    tables = [v for v in draft.values if v.block == "token_embedding"]
    if tables and draft.r.random() < 0.7:
        return draft.node(
            "lm_head", f"input: {x.name}, tie: {tables[-1].name}.table", (*x.axes[:2], draft.size(VOCAB)), reads=[x]
        )
    return draft.node(
        "lm_head", f"input: {x.name}, vocab: {VOCAB}, softcap: 9", (*x.axes[:2], draft.size(VOCAB)), reads=[x]
    )
