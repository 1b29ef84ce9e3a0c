"""Rotary positions in a configuration, of all versions: `rope_parameters`, or `rope_theta` and `rope_scaling`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from archspec.diagnostics import did_you_mean, fail
from archspec.interop.huggingface.changes import Changes, number_text
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import Configuration, Keys, part_of, reads
from archspec.interop.huggingface.told import UNTOLD, Told

_GENERAL = frozenset({"rope_type", "type", "rope_theta", "partial_rotary_factor"})
_OWN: Mapping[str, frozenset[str]] = {
    "default": frozenset(),
    "linear": frozenset({"factor"}),
    "dynamic": frozenset({"factor"}),
    "llama3": frozenset({"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}),
    "yarn": frozenset(
        {
            *("factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow"),
            *("mscale", "mscale_all_dim", "truncate"),
        }
    ),
    "longrope": frozenset(
        {"factor", "original_max_position_embeddings", "attention_factor", "short_factor", "long_factor"}
    ),
}
"""The keys that each kind of scaling reads, beside the general ones. An older name of longrope is `su`."""
_OLDER = {"su": "longrope"}
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "linear": {"factor": "factor"},
    "dynamic": {"factor": "factor"},
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
"""By kind of scaling, the key of each field of the language."""
_DECIMAL = frozenset({"factor", "low_freq_factor", "high_freq_factor", "beta_fast", "beta_slow", "attention_factor"})
"""Keys that transformers takes as decimal numbers alone, also where they are whole."""
_USUAL_BASE = 10000
"""The base of rotary positions that leave it out."""


def rotary(where: str, base: str = "constants.base", *, in_part: bool = False) -> Keys:
    """The keys of rotary positions, which are written at the path `where` of an attention, their base at `base`.

    `in_part` says that the original reads how much of a head turns.
    """

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        parameters = _parameters(given, configuration["rope_scaling"])
        return rotation(parameters, configuration, where, base, in_part=in_part)

    parts = ("rope_scaling", "rope_theta", "partial_rotary_factor")
    back = rotation_told(where, in_part=in_part)
    return {"rope_parameters": reads(read, back=back), **{name: part_of("rope_parameters") for name in parts}}


ROTARY_DEFAULTS: Mapping[str, Any] = {
    "rope_parameters": None,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "partial_rotary_factor": None,
}


def rotation(
    parameters: JsonValue, configuration: Configuration, where: str, base: str, *, in_part: bool = False
) -> Changes:
    """What the parameters of one rotation change. Raises SpecError E802 or E803 for what is not supported."""
    values = parameters.members
    kind = _kind(values)
    for name, one in values.items():
        known = _GENERAL | _OWN[kind]
        if name not in known:
            help = did_you_mean(name, known, kind="keys", limit=20)
            fail("E802", f"unknown key `{name}` of rotary positions of kind `{kind}`", one.key, help=help)
    theta = values.get("rope_theta") or configuration["rope_theta"]
    changes: dict[str, Any] = {
        base: _number(theta),
        f"{where}.size": _turned(values, configuration, in_part),
        f"{where}.scaling": None if kind == "default" else _Scaling(parameters, configuration).of(kind),
    }
    return changes


def rotation_told(*where: str, in_part: bool = False) -> Callable[[Told], Any]:
    """What finds the parameters of a rotation in a document, UNTOLD where positions are not rotary.

    `where` are the paths of the positions, those of a kind of layers before those of all; `in_part` as in `rotary`.
    """

    def back(told: Told) -> Any:
        if not any(told.has(path) for path in where):
            return UNTOLD
        own = [path for path in where if told.has(f"{path}.scaling")]
        kind = told.word(f"{own[0]}.scaling.kind") if own else None
        bases = (told.number(f"{path}.base") for path in where)
        base = next((one for one in bases if one is not None), _USUAL_BASE)
        parameters: dict[str, Any] = {"rope_type": kind or "default", "rope_theta": float(base)}
        for ours, theirs in _FIELDS.get(kind or "", {}).items():
            value = told.plain(f"{own[0]}.scaling.{ours}")
            is_decimal = theirs in _DECIMAL and isinstance(value, int)
            parameters |= {} if value is None else {theirs: float(value) if is_decimal else value}
        return {**parameters, "partial_rotary_factor": _part_told(told, where[-1])} if in_part else parameters

    return back


def _part_told(told: Told, where: str) -> float:
    """How much of a head turns: the share whose features, cut to a whole number, are those that a document names."""
    turned, size = told.number(f"{where}.size"), told.number("constants.head_dim")
    features, heads = told.number("constants.d_model"), told.number("constants.heads")
    size = features // heads if size is None and features and heads else size
    if turned is None or not size:
        return 1.0
    share = turned / size
    return share if int(size * share) == turned else math.nextafter(share, 1)


def _parameters(given: JsonValue, older: JsonValue) -> JsonValue:
    """The object that says how positions turn. Raises SpecError E803 where both names hold one, or none holds one."""
    for one in (given, older):
        if one.value is not None and not isinstance(one.value, Mapping):
            one.refuse("expected an object or null")
    if given.value and older.value and given.value != older.value:
        older.refuse("`rope_parameters` says something else", "keep one of the two")
    return given if given.value else older


def _kind(values: Mapping[str, JsonValue]) -> str:
    """The kind of scaling. Raises SpecError E803 for one that the language lacks."""
    given = values.get("rope_type") or values.get("type")
    if given is None:
        return "default"
    kind = _OLDER.get(str(given.value), str(given.value))
    if kind not in _OWN:
        given.refuse("the language has no such scaling", did_you_mean(str(given.value), _OWN, kind="kinds"))
    return kind


def _turned(values: Mapping[str, JsonValue], configuration: Configuration, in_part: bool) -> int | None:
    """How many features of a head turn; None for all. Raises SpecError E803 where the original turns all of them."""
    part = values.get("partial_rotary_factor") or configuration["partial_rotary_factor"]
    share = 1 if part.value is None else _number(part)
    if share == 1:
        return None
    if not in_part:
        part.refuse("the original turns whole heads, whatever this says", "supported: `1`")
    return int(head_dim(configuration) * share)


def head_dim(configuration: Configuration) -> int:
    """The features of a head. Raises SpecError E803 where they are not given and do not come out whole."""
    given = configuration.values.get("head_dim")
    if given is not None and given.value is not None:
        return int(_number(given))
    features, heads = (configuration[name] for name in ("hidden_size", "num_attention_heads"))
    if type(features.value) is not int or type(heads.value) is not int or heads.value < 1:
        heads.refuse("expected a whole number from 1 up")
    return int(features.value // heads.value)


def _number(given: JsonValue) -> float:
    """A positive number. Raises SpecError E803 for anything else."""
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        given.refuse("expected a positive number")
    return value


class _Scaling:
    """The fields of a scaling, read from the parameters of a rotation."""

    def __init__(self, parameters: JsonValue, configuration: Configuration) -> None:
        self.parameters = parameters
        self.configuration = configuration

    def of(self, kind: str) -> dict[str, Any]:
        """The scaling as a map of the language."""
        fields: dict[str, Any] = getattr(self, f"_{kind}")()
        return {"kind": kind, **fields}

    def _linear(self) -> dict[str, Any]:
        return {"factor": self._required("factor")}

    def _dynamic(self) -> dict[str, Any]:
        # The original grows the base beyond the largest length of its configuration.
        return {"factor": self._required("factor"), "original": self._context()}

    def _llama3(self) -> dict[str, Any]:
        low, high = self._required("low_freq_factor"), self._required("high_freq_factor")
        return {"factor": self._required("factor"), "low": low, "high": high, "original": self._original()}

    def _yarn(self) -> dict[str, Any]:
        factor, values = self._factor(), self.parameters.members
        fields: dict[str, Any] = {"factor": factor, "original": self._original()}
        for ours, theirs, usual in (("fast", "beta_fast", 32), ("slow", "beta_slow", 1)):
            if (given := self._optional(theirs)) is not None and given != usual:
                fields[ours] = given
        truncate = values.get("truncate")
        if truncate is not None and truncate.value is not True:
            if truncate.value is not False:
                truncate.refuse("expected true or false")
            fields["truncate"] = False
        magnitude = self._yarn_magnitude(factor)
        return fields if magnitude is None else {**fields, "magnitude": _exact(magnitude)}

    def _yarn_magnitude(self, factor: float) -> float | None:
        """What the tables are multiplied by; None for the usual magnitude of YaRN."""
        given = self._optional("attention_factor")
        if given is not None:
            return given
        up, down = self._optional("mscale"), self._optional("mscale_all_dim")
        if up is None or down is None:
            return None
        if factor <= 1:
            return 1.0
        return (0.1 * up * math.log(factor) + 1) / (0.1 * down * math.log(factor) + 1)

    def _longrope(self) -> dict[str, Any]:
        original = self._original()
        magnitude = self._optional("attention_factor")
        if magnitude is None:
            factor = self._factor()
            magnitude = 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(original))
        short, long = self._list("short_factor"), self._list("long_factor")
        return {"short": short, "long": long, "original": original, "magnitude": _exact(magnitude)}

    def _required(self, name: str) -> float:
        given = self.parameters.members.get(name)
        if given is None:
            self.parameters.refuse(f"`{name}` is missing")
        return _number(given)

    def _optional(self, name: str) -> float | None:
        given = self.parameters.members.get(name)
        return None if given is None or given.value is None else _number(given)

    def _list(self, name: str) -> list[float]:
        given = self.parameters.members.get(name)
        if given is None or not isinstance(given.value, list) or any(type(x) not in (int, float) for x in given.value):
            (given or self.parameters).refuse(f"`{name}` is to be a list of numbers")
        return given.value

    def _factor(self) -> float:
        """The given factor, else how often the trained length goes into the largest."""
        given = self._optional("factor")
        return self._context() / self._original() if given is None else given

    def _original(self) -> float:
        """The length that was trained. One beside the parameters, as Phi 3 has it, takes precedence."""
        beside = self.configuration.values.get("original_max_position_embeddings")
        if beside is not None and beside.value is not None:
            return _number(beside)
        inside = self._optional("original_max_position_embeddings")
        return self._context() if inside is None else inside

    def _context(self) -> float:
        return _number(self.configuration["max_position_embeddings"])


def _exact(value: float) -> str:
    return number_text(value)
