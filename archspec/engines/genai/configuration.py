"""The file `genai_config.json`, by which ONNX Runtime GenAI opens a decoder."""

from __future__ import annotations

import json
from typing import Any

from archspec.engines.genai.form import IDS, LOGITS, PAST, PRESENT, GenaiForm
from archspec.passes.incremental.body import MASK
from archspec.spec import Spec

CONFIGURATION = "genai_config.json"


def configuration(spec: Spec, form: GenaiForm, file: str) -> str:
    """Return the text of the configuration; `file` is the name of the ONNX file."""
    assert spec.decode is not None
    model = {
        # What the runtime calls a decoder of no type that it knows: ids, a mask, keys and values by layer.
        "type": "decoder",
        "vocab_size": _vocabulary(spec),
        "context_length": context_length(spec),
        **token_ids(spec),
        "decoder": _decoder(form, file),
    }
    # Greedy, as `archspec generate` is by default. Keys and values grow: no buffer of the whole context is held.
    search = {"max_length": context_length(spec), "do_sample": False, "past_present_share_buffer": False}
    return json.dumps({"model": model, "search": search}, indent=2) + "\n"


def context_length(spec: Spec) -> int:
    """Return the maximum number of positions of a row."""
    assert spec.decode is not None
    (symbol,) = spec.inputs[spec.decode.input].type.shape[1].symbols()
    return symbol.max // symbol.multiple * symbol.multiple


def token_ids(spec: Spec) -> dict[str, Any]:
    """Return the ids that end, begin and fill up a row.

    The runtime takes every id at the end of a row of a batch that equals `pad_token_id` for a filling one. It is an id
    that ends rows, which no prompt ends with; 0 where none does. Ids outside a reduced vocabulary are left out.
    """
    assert spec.decode is not None
    ends = [id for id in spec.decode.end if id < _vocabulary(spec)]
    begins = {} if spec.decode.start is None else {"bos_token_id": spec.decode.start}
    return {"eos_token_id": ends, "pad_token_id": ends[0] if ends else 0, **begins}


def _vocabulary(spec: Spec) -> int:
    """Return the number of logits."""
    assert spec.decode is not None
    return spec.outputs[spec.decode.output].type.shape[2].value({})


def _decoder(form: GenaiForm, file: str) -> dict[str, Any]:
    """Return the part about the ONNX file."""
    # Keys are [rows, heads, past, size].
    heads, size = (form.interface.inputs[form.pasts[0]].type.shape[k].value({}) for k in (1, 3))
    return {
        "filename": file,
        "num_hidden_layers": form.layers,
        "num_key_value_heads": heads,
        "head_size": size,
        "inputs": {
            "input_ids": IDS,
            "attention_mask": MASK,
            "past_key_names": PAST["key"],
            "past_value_names": PAST["value"],
        },
        "outputs": {
            "logits": LOGITS,
            "present_key_names": PRESENT["key"],
            "present_value_names": PRESENT["value"],
        },
    }
