"""Weights beyond a protobuf's size lie in a file of their own, and every engine finds them there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.engines import export
from archspec.engines.engine import Target
from archspec.engines.profiles import declared, shapes
from archspec.engines.registry import engine_of
from tests.engines.models import encoder


@pytest.mark.slow
def test_weights_in_a_file_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "EXTERNAL_BYTES", 1000)
    program = encoder(tmp_path).inside(tmp_path)
    work, place = tmp_path / "work", tmp_path / "onnx"
    work.mkdir()
    place.mkdir()
    export.export_onnx(program, "float32", work / "model.onnx")
    target = Target(engine="onnx")
    artifact = engine_of(target).build(program, work / "model.onnx", target, "float32", place)
    assert artifact.files == ("model.onnx", "model.onnx.data")
    assert (place / "model.onnx.data").stat().st_size > 10_000
    runner = engine_of(target).open(place / "model.onnx", program.interface)
    outputs = runner.run({"ids": np.ones((2, 3), dtype=np.int64), "valid": np.ones((2, 3), dtype=bool)})
    assert np.isfinite(outputs["states"]).all()
    building = pytest.importorskip("archspec.engines.rtx.building")
    interface = program.interface
    ranges = [shapes(interface.input_ports, declared(interface.symbols))]
    built = building.build_engine(work / "model.onnx", ranges, ("states", "pooled"), ("sm89",))
    assert len(built.engine) > 10_000
