"""A spec as the configuration of a model type: the table of keys read backwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from archspec.diagnostics import Source, Span, SpecError
from archspec.interop.huggingface.changes import changed
from archspec.interop.huggingface.keys import (
    ConfigurationKey,
    DecimalKey,
    PartKey,
    ReadKey,
    SizeKey,
    SwitchKey,
    WordKey,
)
from archspec.interop.huggingface.model_type import ModelType
from archspec.ir.printer import print_graph
from archspec.spec import Spec
from archspec.spec.inheritance import canonical
from archspec.text import expr as text
from archspec.text.nodes import ListNode, MapNode, Node, TextNode

_POSITIONS = "graph.states.attention.positions"
_GLOBAL = "graph.states.kinds.global.attention.positions"
_MAY_BE_NONE = frozenset({"sliding_window", "attn_logit_softcapping", "final_logit_softcapping"})
"""Keys that a document without them switches off."""
_SCALINGS: Mapping[str, Mapping[str, str]] = {
    "linear": {"factor": "factor"},
    "llama3": {
        "factor": "factor",
        "low": "low_freq_factor",
        "high": "high_freq_factor",
        "original": "original_max_position_embeddings",
    },
    "yarn": {
        "factor": "factor",
        "original": "original_max_position_embeddings",
        "fast": "beta_fast",
        "slow": "beta_slow",
        "truncate": "truncate",
        "magnitude": "attention_factor",
    },
    "longrope": {
        "short": "short_factor",
        "long": "long_factor",
        "original": "original_max_position_embeddings",
        "magnitude": "attention_factor",
    },
}
"""The fields of scalings of rotary positions, and their keys."""


def values_of(spec: Spec, kind: ModelType, architecture: str) -> dict[str, Any]:
    """Return the configuration that a spec would have as a model type, with the defaults of the type.

    `architecture` is the class of transformers. Whether the spec is of the type is not judged: the caller imports the
    result and compares it, with `difference`.
    """
    return {**kind.defaults, **told_by(spec, kind, architecture)}


def told_by(spec: Spec, kind: ModelType, architecture: str) -> dict[str, Any]:
    """Return the type, the class, and the values that the spec tells itself; all other keys are at their defaults."""
    named = {"model_type": kind.word, "architectures": [architecture]}
    return {**named, **dict(_Backwards(spec).values(kind, architecture))}


def difference(spec: Spec, other: Spec) -> str | None:
    """The first lines in which the graphs of two specs differ; None where they are one."""
    ours, theirs = (print_graph(one.graph).splitlines() for one in (spec, other))
    for left, right in zip_longest(ours, theirs, fillvalue=""):
        if left != right:
            return f"`{left.strip()}`, expected `{right.strip()}`"
    return None


class _Backwards:
    """Reads the values of keys out of a document."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.tree = spec.tree
        self.span: Span = Source("--export", " ").span(0, 1)
        self.code: Mapping[str, Callable[[], Any]] = {
            "rope_parameters": self._rotary,
            "rms_norm_eps": lambda: self.number("defaults.norm.eps"),
            "sliding_window": lambda: self.number("constants.window"),
            "attn_logit_softcapping": lambda: self.number("graph.states.attention.softcap"),
            "final_logit_softcapping": lambda: self.number("graph.logits.softcap"),
            "original_max_position_embeddings": self._trained,
            "rope_theta": lambda: self.number(f"{_GLOBAL}.base") or self._base(),
            "rope_local_base_freq": self._base,
        }

    def values(self, kind: ModelType, architecture: str) -> Iterator[tuple[str, Any]]:
        """The keys that the document tells; all others have their defaults."""
        for name, key in kind.table(kind.architectures[architecture]).keys.items():
            found = self.code[name]() if name in self.code else self._value(key)
            if found is not None or name in _MAY_BE_NONE:
                yield name, found

    def _value(self, key: ConfigurationKey) -> Any:
        """The value of a key that is data; None where the document does not tell it."""
        if isinstance(key, SizeKey):
            return self.number(key.path)
        if isinstance(key, DecimalKey):
            found = self.number(key.path)
            return key.absent if found is None else found
        if isinstance(key, WordKey):
            word = self.plain(key.path)
            return next((theirs for theirs, ours in key.table.items() if ours == word), None)
        if isinstance(key, SwitchKey):
            holding = [value for value, changes in key.cases if changes and self._holds(changes)]
            return holding[0] if holding else next((value for value, changes in key.cases if not changes), None)
        return key.back(self) if isinstance(key, ReadKey | PartKey) and key.back is not None else None

    def _holds(self, changes: Mapping[str, Any]) -> bool:
        """Whether changes are made already."""
        try:
            return canonical(changed(self.tree, changes, self.span)) == canonical(self.tree)
        except (KeyError, ValueError, SpecError):
            # A path that the document does not have.
            return False

    def _at(self, path: str) -> Node | None:
        """The node at a path; None where there is none."""
        node: Node | None = self.tree
        for key in path.split("."):
            if isinstance(node, ListNode) and key.isdecimal() and int(key) < len(node.items):
                node = node.items[int(key)]
            else:
                node = node.get(key) if isinstance(node, MapNode) else None
        return node

    def number(self, path: str) -> int | float | None:
        """The number at a path, over the constants; None where there is none."""
        return self._evaluated(self._at(path))

    def plain(self, path: str) -> Any:
        """The words, numbers and lists at a path as JSON data; None where there are none."""
        return self._data(self._at(path))

    def _evaluated(self, node: Node | None) -> int | float | None:
        if not isinstance(node, TextNode):
            return None
        try:
            value = text.evaluate(text.parse_expr(node), self.spec.constants).constant()
        except SpecError:
            return None
        return None if value is None else int(value) if value == int(value) else float(value)

    def _data(self, node: Node | None) -> Any:
        """A node as JSON data: numbers, words, lists."""
        if isinstance(node, ListNode):
            return [self._data(item) for item in node.items]
        if not isinstance(node, TextNode):
            return None
        number = self._evaluated(node)
        words = {"true": True, "false": False, "none": None}
        return number if number is not None else words.get(node.value, node.value)

    def _base(self) -> float:
        """The base of rotary positions; 10,000 where the document leaves it out."""
        return float(self.number(f"{_POSITIONS}.base") or 10_000)

    def _trained(self) -> int | float | None:
        """The length that was trained: the largest one where positions are not stretched."""
        return self.number(f"{_POSITIONS}.scaling.original") or self.number("constants.context")

    def _rotary(self) -> dict[str, Any] | None:
        """The parameters of a rotation; None where positions are not rotary."""
        base = self.number(f"{_POSITIONS}.base")
        if base is None:
            return None
        parameters: dict[str, Any] = {"rope_type": "default", "rope_theta": float(base)}
        kind = self.plain(f"{_POSITIONS}.scaling.kind")
        if kind in _SCALINGS:
            parameters["rope_type"] = kind
            for ours, theirs in _SCALINGS[kind].items():
                value = self.plain(f"{_POSITIONS}.scaling.{ours}")
                parameters |= {} if value is None else {theirs: value}
        return parameters
