"""The metadata of a GGUF file as the configuration of a model type: a total function of its keys."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from archspec.diagnostics import Collector, Source, Span, did_you_mean, fail
from archspec.interop.gguf.architectures import ARCHITECTURES, ONLY, SCALING, GgufArchitecture
from archspec.interop.gguf.rotary_factors import llama3_scaling
from archspec.layouts.operations import Shape
from archspec.record import record
from archspec.weights.gguf.header import Value

if TYPE_CHECKING:
    from torch import Tensor

_DECLARED = ("general.", "tokenizer.", "quantize.", "split.")
"""Keys that say where a file comes from, how texts become ids, and how its tensors are stored."""
_FREQUENCIES = "rope_freqs.weight"
_FACTORS = ("rope_factors_long.weight", "rope_factors_short.weight")
_MAGNITUDE = "rope.scaling.attn_factor"
_TRAINED = "rope.scaling.original_context_length"


class TensorSource(Protocol):
    """Tensors of a file by name, and the shapes of all of them."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shapes by name."""
        ...

    def __getitem__(self, name: str) -> Tensor:
        """The tensor of a name."""
        ...


@record
class GgufConfiguration:
    """What `config.json` would say.

    `values` are its keys, `places` where each is in the list of the file's metadata; a key that only the tensors or
    the architecture tell has no place. `skip` are the tensors whose numbers the configuration has.
    """

    values: Mapping[str, Any]
    places: Mapping[str, Span]
    skip: tuple[str, ...] = ()


def configuration(path: Path, metadata: Mapping[str, Value], tensors: TensorSource) -> GgufConfiguration:
    """Return the configuration of a file with these metadata and tensors.

    Raises SpecError E806 for a key that is not known, E807 for a value that is not supported, E808 for another
    architecture; all are reported together.
    """
    places = _places(path, metadata)
    word = metadata.get("general.architecture")
    known = ARCHITECTURES.get(str(word))
    if known is None:
        help = f"supported: {', '.join(f'`{one}`' for one in ARCHITECTURES)}"
        fail("E808", f"the architecture `{word}` cannot be imported", places.get("general.architecture"), help=help)
    found = Collector()
    reader = _Reading(f"{word}.", known, metadata, places, tensors, found)
    values = reader.values()
    found.raise_if_errors()
    skip = tuple(name for name in (_FREQUENCIES, *_FACTORS) if name in tensors.shapes)
    return GgufConfiguration(values=values, places=reader.used, skip=skip)


def _places(path: Path, metadata: Mapping[str, Value]) -> dict[str, Span]:
    """Return where each key is in a list of the metadata, which messages show in place of the file."""
    lines = [f"{key}: {_shown(value)}" for key, value in metadata.items()]
    source, at, places = Source(str(path), "\n".join(lines) + "\n"), 0, {}
    for key, line in zip(metadata, lines, strict=True):
        places[key] = source.span(at, at + len(line))
        at += len(line) + 1
    return places


def _shown(value: Value) -> str:
    """A value in a line; a long one is cut."""
    text = f"a list of {len(value)}" if isinstance(value, tuple) else repr(_plain(value))
    return text if len(text) <= 60 else f"{text[:60]}..."


class _Reading:
    """Reads the keys of one architecture; `used` collects the places of those that are used."""

    def __init__(
        self,
        prefix: str,
        known: GgufArchitecture,
        metadata: Mapping[str, Value],
        places: Mapping[str, Span],
        tensors: TensorSource,
        found: Collector,
    ) -> None:
        self.prefix = prefix
        self.known = known
        self.own = {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)}
        self.metadata = metadata
        self.places = places
        self.tensors = tensors
        self.found = found
        self.used: dict[str, Span] = {}

    def values(self) -> dict[str, Any]:
        """Return the configuration; errors are collected."""
        self._check_keys()
        known = self.known
        derived = dict(self._derived())
        self._check_complete({*derived, *known.absent})
        named = {"model_type": known.model_type, "architectures": [known.model]}
        values = {**named, **known.facts, **known.absent, **derived}
        for key, name in known.keys.items():
            if key in self.own:
                values[name] = _plain(self.own[key])
                self.used[name] = self.places[self.prefix + key]
        values["vocab_size"] = self._vocabulary(values.get("vocab_size"))
        values["tie_word_embeddings"] = "output.weight" not in self.tensors.shapes
        values |= dict(self._tokens())
        values |= {name: self._has_all(name, tensors) for name, tensors in known.biases.items()}
        values |= self._scaling(values)
        return {**values, **dict(self._unnamed(values))}

    def _unnamed(self, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """What no file names, and llama.cpp takes from the architecture and the number of layers."""
        layers = values.get("num_hidden_layers")
        if self.known.wide is not None:
            yield "query_pre_attn_scalar", self._head_size() if layers == self.known.wide else values.get("head_dim")
        if self.known.period is not None and isinstance(layers, int):
            kinds = ("sliding_attention",) * (self.known.period - 1) + ("full_attention",)
            yield "layer_types", [kinds[layer % len(kinds)] for layer in range(layers)]

    def _check_keys(self) -> None:
        """Report keys that are not known, and values that are not supported."""
        mine = (*self.known.keys, *self.known.same, *SCALING, *ONLY)
        for key in self.metadata:
            own = key.removeprefix(self.prefix)
            if not key.startswith((self.prefix, *_DECLARED)) or (key.startswith(self.prefix) and own not in mine):
                help = did_you_mean(key, [self.prefix + one for one in mine], kind="keys", limit=0)
                self.found.error("E806", f"unknown key `{key}`", self.places[key], help=help)
        if self.metadata.get("general.type", "model") != "model":
            self._refuse("general.type", "expected `model`")
        for key, allowed in ONLY.items():
            if key in self.own and self.own[key] not in allowed and key not in self.known.keys:
                self._refuse(self.prefix + key, f"supported: {', '.join(f'`{one}`' for one in allowed)}")
        for key, other in self.known.same.items():
            if key in self.own and self.own[key] != self.own.get(other, self._head_size()):
                self._refuse(self.prefix + key, f"expected {self.own.get(other, self._head_size())}, as of whole heads")

    def _derived(self) -> Iterator[tuple[str, Any]]:
        """What llama.cpp makes of other keys where a file leaves these out."""
        heads, size, keys = self.own.get("attention.head_count"), self._head_size(), self.known.keys
        if "attention.head_count_kv" in keys:
            yield keys["attention.head_count_kv"], heads
        if "attention.key_length" in keys and size is not None:
            yield keys["attention.key_length"], int(size) if size == int(size) else size
        if _TRAINED in keys:
            yield keys[_TRAINED], self.own.get("context_length")

    def _check_complete(self, told: Collection[str]) -> None:
        """Report keys that the file leaves out, and that nothing else tells: a type's usual value may be another."""
        for key, name in self.known.keys.items():
            if key not in self.own and name not in told and name != "vocab_size":
                help = "the converter of llama.cpp writes it: convert the model again"
                self.found.error("E807", f"the metadata have no `{self.prefix}{key}`", None, help=help)

    def _head_size(self) -> float | None:
        """The features of a head where no key names them."""
        features, heads = self.own.get("embedding_length"), self.own.get("attention.head_count")
        return features / heads if isinstance(features, int) and isinstance(heads, int) and heads else None

    def _refuse(self, key: str, reason: str) -> None:
        value = _plain(self.metadata[key])
        self.found.error("E807", f"`{key}` is {value!r}: {reason}", self.places[key])

    def _vocabulary(self, given: int | None) -> int | None:
        """The rows of the table of tokens, which the metadata may give, too."""
        shape = self.tensors.shapes.get("token_embd.weight")
        rows = shape[0] if shape else given
        if given is not None and given != rows:
            self._refuse(f"{self.prefix}vocab_size", f"`token_embd.weight` has {rows} rows")
        return rows

    def _tokens(self) -> Iterator[tuple[str, Any]]:
        """The ids of tokens that a configuration names."""
        for theirs, ours in (("bos", "bos"), ("eos", "eos"), ("padding", "pad")):
            key = f"tokenizer.ggml.{theirs}_token_id"
            if key in self.metadata:
                yield f"{ours}_token_id", self.metadata[key]
                self.used[f"{ours}_token_id"] = self.places[key]

    def _has_all(self, name: str, biases: tuple[str, ...]) -> bool:
        """Whether the file has biases; some of them alone are an error."""
        there = [bias in self.tensors.shapes for bias in biases]
        if any(there) and not all(there):
            self.found.error("E807", f"`{name}` would be for {', '.join(biases)}, of which some are missing", None)
        return all(there)

    def _scaling(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The scaling of rotary positions: of the metadata, or of the factors that tensors hold."""
        given = {name: _plain(self.own[key]) for key, name in SCALING.items() if key in self.own}
        if all(name in self.tensors.shapes for name in _FACTORS):
            long, short = (self.tensors[name].tolist() for name in _FACTORS)
            return {"rope_scaling": {"rope_type": "longrope", "long_factor": long, "short_factor": short, **{
                name: value for name, value in given.items() if name == "attention_factor"}}}  # fmt: skip
        if _FREQUENCIES in self.tensors.shapes:
            size = values.get("head_dim") or self._head_size()
            scaling = llama3_scaling(self.tensors[_FREQUENCIES].tolist(), values["rope_theta"], size)
            if scaling is None:
                message = f"`{_FREQUENCIES}` holds no factors of `llama3` with low 1, high 4 and original 8192"
                self.found.error("E807", message, None, help="import `config.json`: the factors tell no other numbers")
            return {"rope_scaling": scaling}
        # What a file names beside no kind is the length that was trained, which other keys give.
        kind = given.get("rope_type", "none")
        if kind == "yarn" and given.pop("attention_factor", 1.0) != 1.0:
            # There it multiplies YaRN's own magnitude, which `attention_factor` would replace.
            self._refuse(f"{self.prefix}{_MAGNITUDE}", "a magnitude beside that of YaRN is not supported")
        return {} if kind == "none" else {"rope_scaling": given}


def _plain(value: Value) -> Any:
    """A number in the fewest digits that give the same float32; lists as lists."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return float(str(np.float32(value))) if isinstance(value, float) else value
