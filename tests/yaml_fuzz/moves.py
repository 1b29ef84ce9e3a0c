"""Random steps that only move positions: shifted, cut, joined, or taken apart and put together again."""

from __future__ import annotations

from tests.yaml_fuzz.draft import WIDTH, Draft, Made, Size
from tests.yaml_fuzz.masks import Mask, Masker


def shift(draft: Draft) -> Made | None:
    """Positions moved, of a sequence or of a control."""
    r = draft.r
    x = draft.recent(draft.sequences() + draft.ranked(2, "bool") + draft.ranked(2, "int64"))
    by = r.choice([by for by in (1, 1, 2, 3, -1, -2) if abs(by) <= min(x.axes[1].values)])
    if r.random() < 0.2 and "roll" in draft.words:
        return draft.node("roll", f"input: {x.name}, axis: 1, by: {by}", x.axes, x.dtype, [x], x.bound)
    if x.dtype == "bool":
        return draft.node("shift", f"input: {x.name}, axis: 1, by: {by}, fill: {r.choice((0, 1))}", x.axes, "bool", [x])
    return draft.node("shift", f"input: {x.name}, axis: 1, by: {by}", x.axes, x.dtype, [x], x.bound)


def cut(draft: Draft) -> Made | None:
    """A slice of the positions, of a sequence or of a control."""
    r = draft.r
    x = draft.recent(draft.sequences() + draft.ranked(2, "bool") + draft.ranked(2, "int64"))
    room = min(x.axes[1].values) - 1
    if room < 1:
        return None
    start, end = r.choice(((1, 0), (0, 1), (1, 1), (2, 0), (0, 0)))
    if start + end > room:
        start, end = 1, 0
    if (start, end) == (0, 0):
        axes = (x.axes[0], draft.size(1), *x.axes[2:])
        return draft.node("slice", f"input: {x.name}, axis: 1, stop: 1", axes, x.dtype, [x], x.bound)
    ends = ", ".join([f"start: {start}"] * bool(start) + [f"stop: -{end}"] * bool(end))
    axes = (x.axes[0], draft.plus(x.axes[1], -start - end), *x.axes[2:])
    return draft.node("slice", f"input: {x.name}, axis: 1, {ends}", axes, x.dtype, [x], x.bound)


def concat(draft: Draft) -> Made | None:
    """Two values one after another, or learned tokens in front."""
    r = draft.r
    x = draft.recent(draft.sequences())
    if r.random() < 0.5:
        count = r.choice((1, 2))
        shape, axes = f"shape: [{x.axes[0].text}, {count}, {WIDTH}]", (x.axes[0], draft.size(count), x.axes[2])
        token = draft.node(*r.choice((("learned", shape), ("constant", f"{shape}, value: 0.5"))), axes)
        others = [token, x] if r.random() < 0.7 else [x, token]
    else:
        y = r.choice([v for v in draft.sequences() if v.axes[0] == x.axes[0]])
        others = [x, y] if x is not y else [x, x]
    if max(map(max, (v.axes[1].values for v in others))) > 8:
        return None
    axes = (x.axes[0], draft.total([v.axes[1] for v in others]), x.axes[2])
    return draft.node("concat", f"inputs: [{', '.join(v.name for v in others)}], axis: 1", axes, reads=others)


def concat_controls(draft: Draft) -> Made | None:
    """Controls one after another, or a constant in front."""
    r = draft.r
    if "concat bool" not in draft.words:
        return None
    known = draft.ranked(2, "bool") + draft.ranked(2, "int64")
    if not known:
        return None
    x = draft.recent(known)
    if x.dtype == "bool" and r.random() < 0.6 and "constant bool" in draft.words:
        one = draft.node(
            "constant",
            f"shape: [{x.axes[0].text}, 1], value: {r.choice(('true', 'false'))}",
            (x.axes[0], draft.size(1)),
            "bool",
        )
        others = [one, x] if r.random() < 0.7 else [x, one]
    else:
        y = r.choice([v for v in known if v.axes[0] == x.axes[0] and v.dtype == x.dtype])
        others = [x, y]
    axes = (x.axes[0], draft.total([v.axes[1] for v in others]))
    if max(axes[1].values) > 8:
        return None
    bound = None if any(v.bound is None for v in others) else max(v.bound or 0 for v in others)
    return draft.node("concat", f"inputs: [{', '.join(v.name for v in others)}], axis: 1", axes, x.dtype, others, bound)


def split(draft: Draft) -> Made | None:
    """Positions taken apart and, maybe after attention within the parts, put together again."""
    r = draft.r
    known = [v for v in draft.sequences() if draft.parts(v.axes[1])]
    if not known:
        return None
    x = draft.recent(known)
    k = r.choice(draft.parts(x.axes[1]))
    way = r.choice(("blocks", "blocks", "strides", "features", "identity", "rank4"))
    if way in ("blocks", "strides"):
        return _attended_parts(draft, x, k, "b (n k) d -> (b n) k d" if way == "blocks" else "b (k n) d -> (b n) k d")
    return _features_of_parts(draft, x, k) if way == "features" else _apart(draft, x, k, way == "rank4")


def _attended_parts(draft: Draft, x: Made, k: int, pattern: str) -> Made:
    """Parts as rows of their own, each attending to itself."""
    r, (b, n, d) = draft.r, x.axes
    outer, inner = draft.over(n, k), draft.size(k)
    controls = [v for v in (*draft.of("bool", (b, n)), *draft.of("int64", (b, n))) if r.random() < 0.7]
    for control in controls[:1]:
        flat = pattern.replace(" d", "")
        draft.node(
            "rearrange",
            f'input: {control.name}, pattern: "{flat}", sizes: {{k: {k}}}',
            (draft.times(b, outer), inner),
            control.dtype,
            [control],
            control.bound,
        )
    w = draft.node(
        "rearrange",
        f'input: {x.name}, pattern: "{pattern}", sizes: {{k: {k}}}',
        (draft.times(b, outer), inner, d),
        reads=[x],
    )
    a = _attended(draft, w, Masker(draft, w.axes[0], inner, inner).mask())
    left, right = pattern.split(" -> ")
    return draft.node(
        "rearrange", f'input: {a.name}, pattern: "{right} -> {left}", sizes: {{n: {outer.text}}}', x.axes, reads=[a]
    )


def _attended(draft: Draft, x: Made, mask: Mask) -> Made:
    """What attends to itself under a mask."""
    reads = [x, *(v for v in draft.values if v.name in mask.names)]
    fields = f"query: {x.name}, key: {x.name}, value: {x.name}, mask: {mask.text}"
    return draft.node("attend", fields, x.axes, reads=reads)


def _features_of_parts(draft: Draft, x: Made, k: int) -> Made:
    """Parts as features of fewer positions."""
    r, (b, n, d) = draft.r, x.axes
    outer = draft.over(n, k)
    w = draft.node(
        "rearrange",
        f'input: {x.name}, pattern: "b (n k) d -> b n (k d)", sizes: {{k: {k}}}',
        (b, outer, draft.size(k * WIDTH)),
        reads=[x],
    )
    y = draft.node("linear", f"input: {w.name}, dim: {WIDTH}", (b, outer, d), reads=[w])
    if r.random() < 0.4:
        return y
    a = _attended(draft, y, Masker(draft, b, outer, outer).mask(back_only=r.random() < 0.5))
    wide = draft.node("linear", f"input: {a.name}, dim: {k * WIDTH}", w.axes, reads=[a])
    return draft.node(
        "rearrange", f'input: {wide.name}, pattern: "b n (k d) -> b (n k) d", sizes: {{k: {k}}}', x.axes, reads=[wide]
    )


def _apart(draft: Draft, x: Made, k: int, mapped: bool) -> Made:
    """Parts on an axis of their own, maybe mapped there, and together again, in order or across."""
    r, (b, n, d) = draft.r, x.axes
    w = draft.node(
        "rearrange",
        f'input: {x.name}, pattern: "b (n k) d -> b n k d", sizes: {{k: {k}}}',
        (b, draft.over(n, k), draft.size(k), d),
        reads=[x],
    )
    if mapped:
        block, fields = r.choice(
            (
                ("linear", f"dim: {WIDTH}"),
                ("l2_normalize", "axis: 2, eps: 0.1"),
                ("l2_normalize", "axis: 1, eps: 0.1"),
            )
        )
        w = draft.node(block, f"input: {w.name}, {fields}", w.axes, reads=[w])
    back = r.choice(("b n k d -> b (n k) d", "b n k d -> b (n k) d", "b n k d -> b (k n) d"))
    return draft.node("rearrange", f'input: {w.name}, pattern: "{back}"', x.axes, reads=[w])


def rearranged_control(draft: Draft) -> Made | None:
    """A control that is computed by moves alone: turned twice, or cut and joined by its parts."""
    known = draft.ranked(2, "bool") + draft.ranked(2, "int64")
    known = [v for v in known if draft.parts(v.axes[1])]
    if not known:
        return None
    x = draft.recent(known)
    k = draft.r.choice(draft.parts(x.axes[1]))
    b, n = x.axes
    outer: Size = draft.over(n, k)
    apart = draft.node(
        "rearrange",
        f'input: {x.name}, pattern: "b (n k) -> b n k", sizes: {{k: {k}}}',
        (b, outer, draft.size(k)),
        x.dtype,
        [x],
        x.bound,
    )
    back = draft.r.choice(("b n k -> b (n k)", "b n k -> b (n k)", "b n k -> b (k n)"))
    return draft.node("rearrange", f'input: {apart.name}, pattern: "{back}"', x.axes, x.dtype, [apart], x.bound)
