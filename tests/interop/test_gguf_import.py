"""GGUF files become specs that compute, with the weights of the file, what the model of transformers computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import archspec
from archspec.diagnostics import SpecError
from archspec.interop import import_model
from archspec.interop.gguf.architectures import ARCHITECTURES
from archspec.interop.huggingface.model_type import MODEL_TYPES
from archspec.ir.printer import print_graph
from tests.decoding.test_smollm2 import fetched
from tests.interop.gguf_models import MODELS, written

KNOWN = [name for name, (word, _) in MODELS.items() if ARCHITECTURES[word].model_type in MODEL_TYPES]


@pytest.mark.parametrize("name", KNOWN)
def test_an_imported_file_computes_what_the_model_does(tmp_path: Path, name: str) -> None:
    path, spec = tmp_path / "small.gguf", tmp_path / "spec.yaml"
    model = written(path, name)
    made = import_model(path)
    spec.write_text(made.text)
    assert (made.architecture, made.spec.name) == (type(model).__name__, "small")
    module = archspec.compile(spec).eval()
    report = archspec.load_weights(module, spec, path)
    assert report.layout == "gguf"
    for shape in ((2, 9), (1, 40)):
        ids = torch.randint(0, 61, shape, generator=torch.Generator().manual_seed(4))
        with torch.no_grad():
            torch.testing.assert_close(module(ids), model(ids).logits, rtol=1e-5, atol=1e-5)


def test_a_type_that_is_not_known_is_refused(tmp_path: Path) -> None:
    for name in sorted(set(MODELS) - set(KNOWN)):
        written(tmp_path / "small.gguf", name)
        with pytest.raises(SpecError, match="E801"):
            import_model(tmp_path / "small.gguf")


@pytest.mark.skipif(not fetched().is_file(), reason="tools/fetch_model.py smollm2-135m was not run")
def test_the_published_smollm2_is_the_shipped_spec() -> None:
    """Same graph, with the same names, and the ids that end a row."""
    made, shipped = import_model(fetched(), name="smollm2-135m").spec, archspec.load("smollm2-135m")
    assert print_graph(made.graph) == print_graph(shipped.graph)
    assert made.decode == shipped.decode
