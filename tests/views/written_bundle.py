"""The manifest and the report of a bundle as data, with a case of everything that a page says of one."""

from __future__ import annotations

from typing import Any

DIGEST = "1cde6b5c" * 8
_SIZES = {"batch": [1, 2, 8], "length": [1, 12, 32]}
_INTERFACE: dict[str, Any] = {"dims": {}, "inputs": {}, "outputs": {}}


def artifact(target: str, verified: str, file: str, **more: Any) -> dict[str, Any]:
    return {
        "target": target,
        "dtype": "float32",
        "files": [file],
        "verified": verified,
        "tool": "the <evil> tool",
        "version": "1.0",
        "profiles": [_SIZES],
        **more,
    }


def trial(artifact: str, reference: str, largest: float, place: str = "") -> dict[str, Any]:
    difference = {"output": "embedding", "largest": largest, "scale": 0.5, "place": place}
    sizes = {"batch": 2, "length": 5}
    return {
        "artifact": artifact,
        "dtype": "float32",
        "reference": reference,
        "sizes": sizes,
        "seed": 7,
        "differences": [difference],
    }


MANIFEST: dict[str, Any] = {
    "digest": "0" * 64,
    "name": "minilm-l6",
    "about": None,
    "spec_digest": "2" * 64,
    "verdicts": [
        {
            "rule": "ignores(output: embedding, input: ids, where: not valid)",
            "status": "proved",
            "explanation": "at all sizes",
        },
        {"rule": "independent(dim: batch)", "status": "proved", "explanation": "at all sizes"},
    ],
    "unproved": ["a rule is violated"],
    "module": "Minilm",
    "interface": _INTERFACE,
    "weights": {"path": "model.safetensors", "origin": "initialised", "seed": 3},
    "artifacts": [
        artifact("onnx", "benchmarked", "model.onnx", notes=["a note"]),
        artifact("tensorrt-rtx:sm86", "network-verified-cpu", "model.engine", network=DIGEST, warnings=["one", "two"]),
    ],
    "programs": [
        {
            "part": "step",
            "source": "step.py",
            "module": "Step",
            "interface": _INTERFACE,
            "artifacts": [artifact("onnx", "executed", "step.onnx", host="linux x86_64")],
        }
    ],
    "rejected": [{"target": "tensorrt-rtx:sm86", "code": "E624", "message": "the tool refused", "notes": ["why"]}],
    "carried": [],
    "command": "archspec build spec.yaml",
    "tools": {"python": "3.11"},
    "files": {
        name: {"sha256": "3" * 64, "bytes": 90_900_000}
        for name in ("model.onnx", "model.engine", "step.onnx", "model.safetensors")
    },
}


def loss(kl: float, flip: list[int] | None) -> dict[str, Any]:
    return {
        "data": "the <evil>.npz",
        "sha256": "4" * 64,
        "output": "logits",
        "classes": 1_000,
        "positions": 2_560,
        "kl": kl,
        "agreement": 0.875,
        "largest": 0.25,
        "scale": 6.5,
        "flip": flip,
        "greedy": {"prompt": 64, "tokens": 32, "first": [5, 8, 9]} if flip else None,
        "known": 2_550,
        "perplexity": [11.04, 12.06],
        "accuracy": [0.5, 0.4375],
    }


QUANTISED: dict[str, Any] = {
    "formats": {
        "states.layers.*.q.weight": "int4:32",
        "ids.table": "int8",
        "states.layers.*.k.weight": "int4:32",
    },
    "floats": ["logits.weight"],
    "bytes": 30_400_000,
    "packed_bytes": 20_200,
    "float_bytes": 90_900_000,
    "activations": {"states.layers.*.q": "int8"},
    "kv_cache": "int8",
    "calibration": {"data": "calibrating.npz", "sha256": "5" * 64},
    "unrounded": {"ids.table": ["Q8_0", "Q6_K"]},
    "rounded": ["states.layers.*.k.weight: Q4_K has <offsets>, so it was rounded to int4:32"],
    "loss": loss(0.0123, None),
    "at_most": {"kl": 0.02, "perplexity": 0.1},
    "rounding": {"onnx": loss(0.0456, [3, 7, 41, 42])},
}
"""What a bundle says whose weights, activations and cache are rounded."""
REPORT: dict[str, Any] = {
    "trials": [
        trial("onnx", "module", 3e-6),
        trial("network of tensorrt-rtx", "interpreter", 2e-6),
        trial("step of onnx", "module", 1e-2, "position 3"),
    ],
    "skipped": ["tensorrt-rtx:sm86: it needs a GPU"],
    "networks": [
        {
            "engine": "tensorrt-rtx",
            "dtype": "float32",
            "digest": DIGEST,
            "layers": {"constant": 5, "matrix_multiply": 7},
            "findings": [
                {
                    "claim": "ignores(output: embedding, input: ids, where: not valid)",
                    "status": "holds",
                    "detail": "at every output position",
                    "trials": 19,
                },
                {"claim": "independent(batch)", "status": "holds", "trials": 18},
                {"claim": "at tiny parameters", "status": "not measured", "detail": "too many parameters to redraw"},
            ],
        }
    ],
    "timings": [{"artifact": "onnx", "sizes": {"batch": 2}, "milliseconds": 1.25, "runs": 9}],
    "stages": [{"name": "export to ONNX", "seconds": 2.5, "peak_bytes": 1_000_000}],
}
