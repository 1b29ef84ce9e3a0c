"""Layers of several kinds: windows in some or all of them, and the order in which the kinds follow each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.decoders import STATES, causal_rules
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, Keys, SizeKey, part_of, reads
from archspec.interop.huggingface.told import UNTOLD, Told

SLIDING, FULL = "sliding_attention", "full_attention"
KIND_NAMES: Mapping[str, str] = {SLIDING: "local", FULL: "global"}
SMALL_WINDOW = 3
"""The window of the small copy, which is shorter than its context."""

Order = Callable[[Configuration], Sequence[str]]
"""The type of every layer where the configuration does not list them."""
OwnFields = Callable[[Configuration], Mapping[str, Mapping[str, Any]]]
"""By kind of layers, the fields of attention that are its own."""


def kinds_of_layers(kinds: Mapping[str, Changes], order: Sequence[str]) -> Changes:
    """The kinds of layers of a stack in their order: none where all layers are of one kind.

    Args:
        kinds: by name, the fields in which a kind differs.
        order: the name of the kind of every layer.
    """
    used = list(dict.fromkeys(order))
    if len(used) == 1:
        return {f"{STATES}.kinds": None, f"{STATES}.pattern": None, STATES: kinds[used[0]]}
    few = len(order)
    for period in range(len(order), 0, -1):
        if all(order[at] == order[at % period] for at in range(len(order))):
            few = period
    seen = max(order.index(name) for name in used) + 1
    return {
        f"{STATES}.kinds": {name: fields if name in used else None for name, fields in kinds.items()},
        f"{STATES}.pattern": list(order[:few]),
        "reduced.constants.layers": max(seen, min(few, 6)),
    }


def windows(output: str = "logits", *, is_used: str | None = None) -> Keys:
    """`sliding_window` of all layers; null, or one that no context exceeds, is none.

    `output` is what the rules speak of, `is_used` a key that switches the window on.
    """

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        size = window_of(given, configuration, is_used)
        return {**_window(size), f"{STATES}.attention.mask": _mask(size), "rules": _rules(output, size)}

    flag = {} if is_used is None else {is_used: part_of("sliding_window", back=_has_window)}
    return {"sliding_window": reads(read, back=_told_window), **flag}


def layer_types(
    order: Order, output: str = "logits", *, is_used: str | None = None, own: OwnFields | None = None
) -> Keys:
    """`layer_types` with `sliding_window`: layers that look back through a window, and others.

    Args:
        order: the types of layers of a configuration without `layer_types`.
        output: what the rules speak of.
        is_used: a key that switches windows on.
        own: fields of attention in which kinds differ beside their masks.
    """

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        types = order(configuration) if given.value is None else listed(given, configuration)
        window = configuration["sliding_window"]
        size = window_of(window, configuration, is_used) if SLIDING in types else None
        if SLIDING in types and size is None and window.value is None:
            given.refuse("layers with a window need `sliding_window`")
        words = [KIND_NAMES[word] for word in types]
        seen = words if size is not None else ["global"] * len(words)
        fields = {} if own is None else own(configuration)
        masks = {"local": _mask(size), "global": "causal"}
        kinds = {name: {"attention": {"mask": mask, **fields.get(name, {})}} for name, mask in masks.items()}
        names = seen if own is None else words
        return {
            **_window(size),
            **({f"{STATES}.attention.mask": None} if len(set(names)) > 1 else {}),
            **kinds_of_layers(kinds, names),
            "rules": mixed_rules(output, seen),
        }

    flag = {} if is_used is None else {is_used: part_of("layer_types", back=_has_window)}
    window = part_of("layer_types", back=_told_window)
    return {"layer_types": reads(read, back=told_types), "sliding_window": window, **flag}


def alternating(period: int) -> Order:
    """Layers with a window, and after `period` - 1 of them one without."""
    return lambda configuration: [SLIDING if at % period else FULL for at in range(1, layers_of(configuration) + 1)]


def late_windows(configuration: Configuration) -> list[str]:
    """Windows from layer `max_window_layers` on, where `use_sliding_window` is set (Qwen 2 and 3)."""
    first, is_used = configuration["max_window_layers"], configuration.value("use_sliding_window") is True
    if type(first.value) is not int:
        first.refuse("expected a whole number")
    has_window = is_used and configuration.value("sliding_window") is not None
    return [SLIDING if has_window and at >= first.value else FULL for at in range(layers_of(configuration))]


def layers_of(configuration: Configuration) -> int:
    """The number of layers. Raises SpecError E803 for what is none."""
    (layers,) = SizeKey(path="").changes(configuration["num_hidden_layers"], configuration).values()
    return int(layers)


def listed(given: JsonValue, configuration: Configuration) -> list[str]:
    """The types of all layers. Raises SpecError E803 for another number of them, and for unknown types."""
    layers = layers_of(configuration)
    if not isinstance(given.value, list) or len(given.value) != layers:
        given.refuse(f"expected a list of {layers} types, one a layer")
    if unknown := [one for one in given.value if one not in KIND_NAMES]:
        given.refuse(f"no type `{unknown[0]}` is known", f"supported: `{SLIDING}` and `{FULL}`")
    return list(given.value)


def window_of(given: JsonValue, configuration: Configuration, is_used: str | None) -> int | None:
    """The number of positions that a window holds; None where it is off or as long as the context."""
    if is_used is not None:
        flag = configuration[is_used]
        if not isinstance(flag.value, bool):
            flag.refuse("expected true or false")
        if not flag.value:
            return None
    if given.value is None:
        return None
    (size,) = SizeKey(path="").changes(given, configuration).values()
    context = configuration.value("max_position_embeddings")
    return None if isinstance(context, int) and size >= context else int(size)


def _has_window(told: Told) -> bool:
    """Whether a document has a window."""
    return _told_window(told) is not None


def _told_window(told: Told) -> int | float | None:
    """The number of positions that the window of a document holds; None where it has none."""
    return told.number("constants.window")


def told_types(told: Told) -> Any:
    """The types of all layers as a document tells them: those whose own mask has a window look back through it."""
    masks = told_layers(told, "attention.mask")
    return masks if masks is UNTOLD else [SLIDING if _has_reach(mask) else FULL for mask in masks]


def _has_reach(mask: str | None) -> bool:
    """Whether a mask keeps what is near: `last(window)`, or with others, `within(reach)`."""
    return mask is not None and any(f"{word}(" in mask for word in ("last", "within"))


def told_layers(told: Told, path: str) -> Any:
    """What a document writes at a path of every layer, by its kind, or for all; UNTOLD where there are no layers."""
    names = told_kinds(told)
    every = told.word(f"{STATES}.{path}")
    own = {name: told.word(f"{STATES}.kinds.{name}.{path}") for name in dict.fromkeys(names)}
    return [own[name] or every for name in names] or UNTOLD


def told_kinds(told: Told) -> list[str]:
    """The name of the kind of every layer of a document; an empty one where layers have none."""
    layers, at = told.number(f"{STATES}.layers"), f"{STATES}.pattern"
    start, repeat = (told.plain(f"{at}.{part}") for part in ("start", "repeat"))
    start, repeat = start or [], repeat or told.plain(at) or [""]
    period = [repeat[number % len(repeat)] for number in range(int(layers or 0))]
    return [str(name) for name in [*start, *period][: len(period)]]


def mixed_rules(output: str, kinds: Sequence[str]) -> str:
    """Rules of a stack of `local` and `global` layers."""
    if "local" not in kinds:
        return causal_rules(output)
    if "global" not in kinds:
        return _rules(output, 1)
    first = ", {window: {output: states.layers.0, input: ids, back: window - 1, ahead: 0}}]"
    rules = causal_rules(output)
    return rules.removesuffix("]") + first if kinds[0] == "local" else rules


def _window(size: int | None) -> dict[str, Any]:
    return {"constants.window": size, "reduced.constants.window": None if size is None else SMALL_WINDOW}


def _mask(size: int | None) -> str:
    return "causal" if size is None else "last(window)"


def _rules(output: str, size: int | None) -> str:
    """Rules of a stack whose layers all look back through a window, or none of them."""
    if size is None:
        return causal_rules(output)
    reach = "layers*(window - 1)"
    return (
        f"[{{causal: {{output: {output}, input: ids}}}}, "
        f"{{window: {{output: {output}, input: ids, back: {reach}, ahead: 0}}}}, "
        "{window: {output: states.layers.0, input: ids, back: window - 1, ahead: 0}}, "
        f"{{covers: {{output: {output}, input: ids, mask: last({reach} + 1)}}}}]"
    )
