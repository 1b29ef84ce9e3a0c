"""Random steps on images, and between images and sequences."""

from __future__ import annotations

from tests.yaml_fuzz.draft import WIDTH, Draft, Made, Size

MOST_POSITIONS = 12
MOST_ENLARGED = 64


def images(draft: Draft) -> list[Made]:
    return [v for v in draft.ranked(4) if v.axes[1].constant == WIDTH and not v.name.startswith("rank4")]


def convolve(draft: Draft) -> Made | None:
    """A convolution that keeps the size, or strides over it."""
    r = draft.r
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    b, c, h, w = x.axes
    way = r.choice(("same", "same", "circular", "stride", "padded", "residual"))
    fields = f"input: {x.name}, channels: {WIDTH}"
    if way == "circular" and min(*h.values, *w.values) < 3:
        return None
    if way in ("same", "circular"):
        more = r.choice(("", ", groups: 4", ", norm: batch_norm", ", activation: gelu"))
        kernel = r.choice((1, 3)) if way == "same" else 3
        return draft.node("conv", f"{fields}, kernel: {kernel}, padding: {way}{more}", x.axes, reads=[x])
    if way == "padded":
        axes = (b, c, draft.plus(h, 1), draft.plus(w, 1))
        return draft.node("conv", f"{fields}, kernel: 2, padding: 1", axes, reads=[x])
    if way == "residual":
        kind = r.choice(("basic", "bottleneck"))
        return draft.node(
            "conv_residual", f"{fields}, kind: {kind}, layers: 1, reduction: 2, norm: batch_norm", x.axes, reads=[x]
        )
    k = _both(draft, h, w)
    return k and draft.node(
        "conv", f"{fields}, kernel: {k}, stride: {k}", (b, c, draft.over(h, k), draft.over(w, k)), reads=[x]
    )


def enlarge(draft: Draft) -> Made | None:
    """An image of twice the rows and columns, a cyclic shift, or a kernel that is longer one way."""
    r = draft.r
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    b, c, h, w = x.axes
    way = r.choice(("resize", "resize", "transpose", "transpose", "roll", "kernel"))
    if way == "roll":
        return draft.node(
            "roll", f"input: {x.name}, axis: {r.choice((2, 3))}, by: {r.choice((1, -1, 2))}", x.axes, reads=[x]
        )
    if way == "kernel":
        return draft.node(
            "conv", f"input: {x.name}, channels: {c.text}, kernel: [3, 1], padding: [1, 0]", x.axes, reads=[x]
        )
    twice = [draft.times(draft.size(2), size) for size in (h, w)]
    if max(twice[0].values) * max(twice[1].values) > MOST_ENLARGED:
        return None
    if way == "resize":
        mode = r.choice(("nearest", "bilinear", "bicubic"))
        return draft.node("resize", f"input: {x.name}, mode: {mode}, factor: 2", (b, c, *twice), reads=[x])
    fields = f"input: {x.name}, channels: {c.text}, kernel: 2, stride: 2"
    return draft.node("conv_transpose", fields, (b, c, *twice), reads=[x])


def around(draft: Draft) -> Made | None:
    """A convolution that goes around the borders, or pads by what its size needs, and strides over the image."""
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    b, c, h, w = x.axes
    k = _both(draft, h, w)
    if k is None or min(*h.values, *w.values) < 3:
        return None
    # What `same` adds must not depend on a size that is known at run time only.
    padding = draft.r.choice(("circular", "same")) if h.constant and w.constant else "circular"
    fields = f"input: {x.name}, channels: {c.text}, kernel: 3, padding: {padding}, stride: {k}"
    return draft.node("conv", fields, (b, c, draft.over(h, k), draft.over(w, k)), reads=[x])


def _both(draft: Draft, h: Size, w: Size) -> int | None:
    known = sorted(set(draft.parts(h)) & set(draft.parts(w)))
    return draft.r.choice(known) if known else None


def window(draft: Draft) -> Made | None:
    """Pools, norms and gates of an image."""
    r = draft.r
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    b, c, h, w = x.axes
    way = r.choice(("pool", "pool", "small", "excite", "norm", "group"))
    if way == "pool":
        k = _both(draft, h, w)
        return k and draft.node(
            r.choice(("max_pool", "avg_pool")),
            f"input: {x.name}, kernel: {k}",
            (b, c, draft.over(h, k), draft.over(w, k)),
            reads=[x],
        )
    if way == "small":
        return draft.node(
            r.choice(("max_pool", "avg_pool")), f"input: {x.name}, kernel: 3, stride: 1, padding: 1", x.axes, reads=[x]
        )
    if way == "excite":
        return draft.node("squeeze_excite", f"input: {x.name}, reduction: 2", x.axes, reads=[x])
    if way == "norm":
        return draft.node("norm", f"input: {x.name}, axis: 1, kind: batch_norm", x.axes, reads=[x])
    return draft.node("norm", f"input: {x.name}, axis: 1, kind: group_norm, groups: 2", x.axes, reads=[x])


def move(draft: Draft) -> Made | None:
    """A shift, a slice or a concatenation of rows or columns, or their exchange."""
    r = draft.r
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    axis = r.choice((2, 3))
    axes = list(x.axes)
    way = r.choice(("shift", "slice", "concat", "turn", "channels"))
    if way == "shift":
        return draft.node("shift", f"input: {x.name}, axis: {axis}, by: {r.choice((1, -1))}", axes, reads=[x])
    if way == "slice" and min(axes[axis].values) > 1:
        axes[axis] = draft.plus(axes[axis], -1)
        return draft.node(
            "slice", f"input: {x.name}, axis: {axis}, {r.choice(('start: 1', 'stop: -1'))}", axes, reads=[x]
        )
    if way == "concat" and max(axes[axis].values) <= 3:
        axes[axis] = draft.total([axes[axis], axes[axis]])
        return draft.node("concat", f"inputs: [{x.name}, {x.name}], axis: {axis}", axes, reads=[x])
    if way == "turn":
        axes[2], axes[3] = axes[3], axes[2]
        return draft.node("rearrange", f"input: {x.name}, pattern: b c h w -> b c w h", axes, reads=[x])
    half = draft.node("slice", f"input: {x.name}, axis: 1, stop: 2", (axes[0], draft.size(2), *axes[2:]), reads=[x])
    rest = draft.node(
        "slice", f"input: {x.name}, axis: 1, start: 2", (axes[0], draft.size(WIDTH - 2), *axes[2:]), reads=[x]
    )
    return draft.node("concat", f"inputs: [{rest.name}, {half.name}], axis: 1", axes, reads=[half, rest])


def flatten(draft: Draft) -> Made | None:
    """An image as a sequence, row by row or column by column, with a mask input over it."""
    r = draft.r
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    b, _, h, w = x.axes
    order = r.choice(("h w", "h w", "w h"))
    sizes = (h, w) if order == "h w" else (w, h)
    positions = draft.times(*sizes)
    if max(positions.values) > MOST_POSITIONS:
        return None
    _controls(draft, b, sizes, positions)
    return draft.node(
        "rearrange",
        f'input: {x.name}, pattern: "b c h w -> b ({order}) c"',
        (b, positions, draft.size(WIDTH)),
        reads=[x],
    )


def _controls(draft: Draft, b: Size, sizes: tuple[Size, Size], positions: Size) -> None:
    if draft.r.random() < 0.3 and all(size.text in draft.dims for size in sizes):
        valid = draft.feed(f"grid{len(draft.inputs)}", (b, *sizes), "bool")
        draft.node("rearrange", f'input: {valid.name}, pattern: "b h w -> b (h w)"', (b, positions), "bool", [valid])
    elif draft.r.random() < 0.5 and all(size.text in draft.dims for size in sizes):
        draft.feed(f"flat{len(draft.inputs)}", (b, positions), draft.r.choice(("bool", "bool", "int64")))


def unflatten(draft: Draft) -> Made | None:
    """A sequence over a grid as an image."""
    known = [
        v
        for v in draft.sequences()
        if "*" in v.axes[1].text and "(" not in v.axes[1].text and v.axes[1].text.count("*") == 1
    ]
    if not known:
        return None
    x = draft.recent(known)
    h, w = (draft.size(text) for text in x.axes[1].text.split("*"))
    return draft.node(
        "rearrange",
        f'input: {x.name}, pattern: "b (h w) c -> b c h w", sizes: {{h: {h.text}}}',
        (x.axes[0], x.axes[2], h, w),
        reads=[x],
    )


def patches(draft: Draft) -> Made | None:
    """The patches of an image as a sequence."""
    r = draft.r
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    b, _, h, w = x.axes
    k = _both(draft, h, w) if r.random() < 0.7 else 1
    if not k:
        return None
    count = draft.times(*(draft.over(size, k) if k > 1 else size for size in (h, w)))
    if max(count.values) > MOST_POSITIONS:
        return None
    fields, front = f"input: {x.name}, patch: {k}, dim: {WIDTH}", 0
    if r.random() < 0.4:
        fields, front = f"{fields}, class_token: true", front + 1
    if r.random() < 0.2:
        fields, front = f"{fields}, registers: 1", front + 1
    return draft.node(
        "patch_embedding", fields, (b, draft.plus(count, front) if front else count, draft.size(WIDTH)), reads=[x]
    )


def summary(draft: Draft) -> Made | None:
    """An image as one vector."""
    known = images(draft)
    if not known:
        return None
    x = draft.recent(known)
    return draft.node("pool", f"input: {x.name}, kind: {draft.r.choice(('mean', 'max'))}", x.axes[:2], reads=[x])
