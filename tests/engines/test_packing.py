"""One product gives queries, keys and values only where that is the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.reference
import onnx_ir
import pytest

from archspec.engines.ort.attention import GROUPED
from archspec.engines.ort.packing import pack_heads

WIDTHS = {"q": 4, "k": 4, "v": 4}


def model(how: str) -> onnx_ir.Model:
    """Three products of x [1, 2, 3] that one attention reads; `how` says what their constants are."""
    lines, constants = list[str](), dict[str, np.ndarray]()
    rng = np.random.default_rng(0)
    for name, width in WIDTHS.items():
        constants[f"{name}_weight"] = rng.integers(-8, 8, (width, 3), dtype=np.int8)
        constants[f"{name}_scale"] = rng.random(width, np.float32)
        constants[f"{name}_bias"] = rng.random((2, width) if how == "rows" else width, np.float32)
        point = ""
        if how == "points":
            constants[f"{name}_point"] = np.ones(width, np.int8)
            point = f", {name}_point"
        lines += [
            f"{name}_values = DequantizeLinear<axis = 0>({name}_weight, {name}_scale{point})",
            f"{name}_turned = Transpose<perm = [1, 0]>({name}_values)",
            f"{name}_product = MatMul(x, {name}_turned)",
            f"{name} = Add({name}_product, {name}_bias)",
        ]
    body = "\n".join(lines)
    text = f"""<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
    packing (float[1, 2, 3] x) => (float[1, 2, 4] y) {{
    {body}
    y = com.microsoft.{GROUPED}<num_heads = 2, kv_num_heads = 2>(q, k, v)
    }}"""
    parsed = onnx.parser.parse_model(text)
    parsed.graph.initializer.extend(onnx.numpy_helper.from_array(one, name) for name, one in constants.items())
    return onnx_ir.from_proto(parsed)


def given(found: onnx_ir.Model, x: np.ndarray) -> np.ndarray:
    """What the attention is given, one operand behind the other, as the reference evaluator computes it."""
    proto = onnx_ir.to_proto(found)
    (attending,) = (node for node in proto.graph.node if node.op_type == GROUPED)
    names = [name for name in attending.input if name]
    proto.graph.node.remove(attending)
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    return np.concatenate(onnx.reference.ReferenceEvaluator(proto).run(None, {"x": x}), axis=-1)


@pytest.mark.parametrize(("how", "products"), [("alike", 1), ("rows", 3), ("points", 3)])
def test_what_is_packed_computes_the_same(how: str, products: int) -> None:
    found, x = model(how), np.random.default_rng(1).random((1, 2, 3), np.float32)
    before = given(found, x)
    pack_heads(found.graph)
    assert [node.op_type for node in found.graph].count("MatMul") == products
    assert np.allclose(given(found, x), before, atol=1e-6)
