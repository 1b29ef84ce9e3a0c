"""Which targets there are, and what is refused before anything is built."""

from __future__ import annotations

import pytest

from archspec.diagnostics import SpecError
from archspec.engines.registry import read_targets
from archspec.engines.targets import tensorrt_rtx, torch_tensorrt


def refusal(texts: list[str], dtype: str = "float32") -> list[tuple[str, str, str | None]]:
    with pytest.raises(SpecError) as raised:
        read_targets(texts, dtype)
    return [(found.code, found.message, found.help) for found in raised.value.diagnostics]


def test_each_gpu_is_a_target_and_each_target_comes_once() -> None:
    found = read_targets(["onnx", "tensorrt-rtx:sm86,sm120", "tensorrt-rtx:sm86", "tensorrt-rtx:sm80+sm89"], "float32")
    assert [str(target) for target in found] == [
        "onnx",
        "tensorrt-rtx:sm86",
        "tensorrt-rtx:sm120",
        "tensorrt-rtx:sm80+sm89",
    ]
    assert found[-1].folder == "tensorrt-rtx-sm80-sm89"


def test_sm90_is_no_target() -> None:
    with pytest.raises(SpecError) as raised:
        read_targets(["tensorrt-rtx:sm89,sm90"], "float16")
    (found,) = raised.value.diagnostics
    assert (found.code, found.message) == ("E602", "`tensorrt-rtx` does not build for `sm90`")
    assert found.notes == ("TensorRT-RTX does not support H100 and H200 (sm90)",)
    assert found.help == "supported GPUs: `sm75`, `sm80`, `sm86`, `sm89`, `sm120`, `sm121`"


def test_a_gpu_that_is_unknown_gets_the_nearest() -> None:
    assert refusal(["tensorrt-rtx:sm_89"]) == [
        ("E602", "`tensorrt-rtx` does not build for `sm_89`", "did you mean `sm89`?")
    ]
    assert refusal(["tensorrt-rtx"])[0][0] == "E602"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_sm75_takes_float16_alone(dtype: str) -> None:
    assert refusal(["tensorrt-rtx:sm75,sm89"], dtype) == [
        ("E603", f"`tensorrt-rtx:sm75` does not support {dtype}", "use float16, or leave sm75 out")
    ]
    assert len(read_targets(["tensorrt-rtx:sm75,sm89"], "float16")) == 2


def test_every_refusal_comes_in_one_run() -> None:
    assert [code for code, _, _ in refusal(["onx", "onnx", "onnx:18", "tensorrt-rtx:sm75"], "bfloat16")] == [
        "E601",
        "E601",
        "E603",
        "E603",
    ]


def test_targets_may_be_joined_by_commas() -> None:
    joined = read_targets(["onnx,tensorrt-rtx:sm86,sm89,openvino", "inductor"], "float32")
    assert joined == read_targets(["onnx", "tensorrt-rtx:sm86,sm89", "openvino", "inductor"], "float32")
    assert [message for _, message, _ in refusal(["onnx,opnvino"])] == ["unknown target `opnvino`"]
    assert refusal(["tensorrt-rtx:sm86,opnvino"])[0][0] == "E602"


def test_a_dtype_that_is_unknown() -> None:
    assert refusal(["onnx"], "float31") == [("E603", "unknown dtype `float31`", "did you mean `float32`?")]


def test_a_missing_package_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt_rtx, "find_spec", lambda name: None)
    assert refusal(["tensorrt-rtx:sm89"]) == [
        (
            "E604",
            "the target `tensorrt-rtx` needs the package tensorrt-rtx",
            "pip install 'archspec-compiler[rtx]'",
        )
    ]


def test_torch_tensorrt_for_this_host_needs_its_gpu() -> None:
    assert refusal(["torch-tensorrt"]) == [
        (
            "E611",
            "`torch-tensorrt` must be built on a host with its GPU, but this host has none",
            "name the GPUs to build for elsewhere: `torch-tensorrt:sm86,sm89`",
        )
    ]


def test_torch_tensorrt_for_named_gpus_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_tensorrt, "find_spec", lambda name: None)
    assert refusal(["torch-tensorrt:sm89"]) == [
        (
            "E604",
            "the target `torch-tensorrt` needs the package torch-tensorrt-rtx to build for named GPUs",
            "pip install 'archspec-compiler[torch-tensorrt-rtx]'",
        )
    ]


def test_torch_tensorrt_takes_the_gpus_of_tensorrt_rtx_alone() -> None:
    assert [code for code, _, _ in refusal(["torch-tensorrt:sm90"])] == ["E602"]
    assert [code for code, _, _ in refusal(["torch-tensorrt:sm75"])] == ["E603"]
