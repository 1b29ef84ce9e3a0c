"""How inputs and outputs of a spec are named in models of transformers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from pathlib import Path

from archspec.diagnostics import fail
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.record import record
from archspec.spec.claims import Claims

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    # The ids of a decoder are those of `input_ids` unless the model has an encoder for something else.
    "ids": ("input_ids", "decoder_input_ids"),
    "valid": ("attention_mask",),
    "types": ("token_type_ids",),
    "text": ("attention_mask",),
    "src_ids": ("input_ids",),
    "src_valid": ("attention_mask",),
    "tgt_ids": ("decoder_input_ids",),
    "tgt_valid": ("decoder_attention_mask",),
    "pixels": ("pixel_values",),
    "masked": ("bool_masked_pos",),
    "spectrogram": ("input_values",),
    "features": ("input_features",),
    "samples": ("input_values",),
}
_RESULTS: Mapping[str, tuple[str, ...]] = {
    "states": ("last_hidden_state",),
    "pooled": ("pooler_output",),
    "logits": ("logits", "logits_per_image"),
}
BODY = frozenset({"last_hidden_state", "pooler_output"})
"""What a model without a head returns."""


@record
class Named:
    """Names in transformers by names of the spec: arguments of `forward` by input, parts of its result by output.

    Those that are given replace all others; those that are known of the model type come before the usual ones.
    `known_class` is the type's class that has all outputs of the spec, None if no class is known to, and `padding` that
    of the type: by an input of ids, the one that says which are valid, where the id of padding is read off them.
    """

    arguments: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, str | int] = field(default_factory=dict)
    known_arguments: Mapping[str, str] = field(default_factory=dict)
    known_results: Mapping[str, str] = field(default_factory=dict)
    known_class: str | None = None
    padding: Mapping[str, str] = field(default_factory=dict)

    def bound(self, claims: Claims, parameters: Collection[str]) -> dict[str, str]:
        """The argument of every input.

        Args:
            claims: the declared inputs.
            parameters: the arguments that `forward` names; an input that none is known for has its own name.

        Raises:
            SpecError: E734 for an argument that `forward` does not name, which `**kwargs` would take without effect.
        """
        made: dict[str, str] = {}
        for name in claims.inputs:
            wanted = (*_one(self.known_arguments, name), *_ARGUMENTS.get(name, ()))
            usual = (one for one in wanted if one in parameters and one not in made.values())
            made[name] = self.arguments.get(name) or next(usual, name)
            if made[name] not in parameters:
                notes = [f"its arguments: {', '.join(parameters)}"]
                help = f"bind it: `--bind {name}=ARGUMENT`"
                fail(
                    "E734",
                    f"the original has no argument `{made[name]}` for the input `{name}`",
                    None,
                    notes=notes,
                    help=help,
                )
        return made

    def places(self, output: str) -> tuple[str | int, ...]:
        """Where an output may be in what `forward` returns, the first that is there."""
        if output in self.results:
            return (self.results[output],)
        return (*_one(self.known_results, output), *_RESULTS.get(output, ()), output)

    def is_body(self, claims: Claims) -> bool:
        """Whether every output is one that a model without a head returns."""
        return all(self.places(name)[0] in BODY for name in claims.outputs)


def known(named: Named, folder: Path, claims: Claims) -> Named:
    """The names with those of the folder's model type, where it is one that can be imported."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        word, names = str(config["model_type"]).replace("-", "_"), list(config.get("architectures") or [""])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # transformers says what is wrong with the file.
        return named
    kind = MODEL_TYPES.get(word)
    if kind is None:
        return named
    # The class of the folder first: several may have the same outputs.
    ordered = sorted(kind.architectures, key=lambda name: name != names[0])
    fitting = (name for name in ordered if claims.outputs.keys() <= kind.architectures[name].outputs.keys())
    chosen = next(fitting, None)
    results = {} if chosen is None else kind.architectures[chosen].outputs
    padding = {ids: valid for ids, valid in kind.padding.items() if {ids, valid} <= claims.inputs.keys()}
    return replace(named, known_arguments=kind.inputs, known_results=results, known_class=chosen, padding=padding)


def _one(known: Mapping[str, str], name: str) -> tuple[str, ...]:
    return (known[name],) if name in known else ()
