"""Takes a DINOv2 out of an ONNX file that PyTorch wrote, as a folder in the form of transformers.

    python examples/dinov2_from_onnx/convert.py vit_s_focus.onnx FOLDER

writes FOLDER/config.json, FOLDER/model.safetensors, and FOLDER/ref.npz: what ONNX Runtime computes with the file for
random images of its own size. Only the backbone is taken; the file's decoder of saliency maps is left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import ModelProto, numpy_helper
from safetensors.torch import save_file

BACKBONE = "backbone."
STATES = "/backbone/layernorm/Add_1_output_0"


def arrays(model: ModelProto) -> dict[str, np.ndarray]:
    """All stored tensors by the names of the file."""
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def tensors(model: ModelProto) -> dict[str, np.ndarray]:
    """The tensors of the backbone by transformers' names.

    The exporter keeps the names of tensors that it stores as they are. Matrices of linear layers it stores transposed
    under a number: the node that multiplies by one has the name of its layer. Positions it stores in two parts, one
    for the class token and one for the patches, which are the inputs of a Concat and of a Reshape.
    """
    stored = arrays(model)
    found = {name.removeprefix(BACKBONE): one for name, one in stored.items() if name.startswith(BACKBONE)}
    positions = dict[str, np.ndarray]()
    for node in model.graph.node:
        parts = node.name.strip("/").split("/")
        for name in (one for one in node.input if one in stored and not one.startswith(BACKBONE)):
            if node.op_type == "MatMul" and parts[0] == "backbone":
                # The name of the node is the path of the layer and the word MatMul.
                found[".".join(parts[1:-1]) + ".weight"] = stored[name].T
            elif parts[:2] == ["backbone", "embeddings"]:
                positions[node.op_type] = stored[name]
    found["embeddings.position_embeddings"] = np.concatenate([positions["Concat"], positions["Reshape"]], axis=1)
    return found


def configuration(found: dict[str, np.ndarray]) -> dict[str, object]:
    """The configuration, from the shapes of the tensors; heads have 64 features, as in every DINOv2."""
    width, channels, patch, _ = found["embeddings.patch_embeddings.projection.weight"].shape
    side = round((found["embeddings.position_embeddings"].shape[1] - 1) ** 0.5)
    layers = {name.split(".")[2] for name in found if name.startswith("encoder.layer.")}
    return {
        "model_type": "dinov2",
        "architectures": ["Dinov2Model"],
        "hidden_size": width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": width // 64,
        "mlp_ratio": found["encoder.layer.0.mlp.fc1.bias"].shape[0] // width,
        "image_size": side * patch,
        "patch_size": patch,
        "num_channels": channels,
        # The exporter leaves out what the computation does not use.
        "use_mask_token": False,
    }


def reference(model: ModelProto, seed: int = 0) -> dict[str, np.ndarray]:
    """Two random images, and the states that ONNX Runtime computes for them with the file."""
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(STATES))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    pixels = np.random.default_rng(seed).standard_normal((2, *given.shape[1:]), dtype=np.float32)
    (states,) = session.run([STATES], {given.name: pixels})
    return {"pixels": pixels, "states": states}


def convert(file: Path, folder: Path) -> None:
    """Write the folder, which must not exist."""
    model = onnx.load(file)
    found = tensors(model)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(configuration(found), indent=2) + "\n", encoding="utf-8")
    own = {name: torch.from_numpy(np.array(one)).contiguous() for name, one in found.items()}
    save_file(own, str(folder / "model.safetensors"), metadata={"format": "pt"})
    np.savez(folder / "ref.npz", **reference(model))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} FILE.onnx FOLDER")
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
