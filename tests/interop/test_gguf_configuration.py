"""The metadata of GGUF files as configurations: those of the models that were written, and total over the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest

from archspec.diagnostics import SpecError
from archspec.interop.gguf.architectures import ARCHITECTURES, SCALING
from archspec.interop.gguf.configuration import configuration
from archspec.weights import read_weights
from archspec.weights.gguf.reading import read_metadata
from tests.interop.gguf_models import MODELS, written

TEXT, FLOAT, WHOLE = gguf.GGUFValueType.STRING, gguf.GGUFValueType.FLOAT32, gguf.GGUFValueType.UINT32
BOOL = gguf.GGUFValueType.BOOL


def read(path: Path) -> dict[str, Any]:
    with read_weights(path) as tensors:
        return dict(configuration(path, read_metadata(path), tensors).values)


def test_every_architecture_is_written() -> None:
    assert {word for word, _ in MODELS.values()} == set(ARCHITECTURES)


@pytest.mark.parametrize("name", MODELS)
def test_the_configuration_is_that_of_the_model(tmp_path: Path, name: str) -> None:
    """Through transformers' own class, which both configurations make."""
    model = written(tmp_path / "w.gguf", name)
    found = read(tmp_path / "w.gguf")
    assert found["architectures"] == [type(model).__name__]
    assert found["model_type"] == model.config.model_type
    again, original = type(model.config)(**found).to_dict(), model.config.to_dict()
    ours = {key: value for key, value in again.items() if value != original[key]}
    # What a file does not name: tokens of the converter, dtype, and where the numbers come from.
    for key in ("architectures", "bos_token_id", "eos_token_id", "pad_token_id", "dtype", "_name_or_path"):
        ours.pop(key, None)
    assert ours == {}


def refused(path: Path, **more: Any) -> tuple[str, str]:
    written(path, "llama", **more)
    with pytest.raises(SpecError) as raised:
        read(path)
    (found,) = raised.value.diagnostics
    return found.code, found.message


def test_a_key_that_is_not_known_is_an_error_at_the_key(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    assert refused(path, ssm=(3, WHOLE)) == ("E806", "unknown key `llama.ssm`")
    written(path, "llama", ssm=(3, WHOLE))
    with pytest.raises(SpecError, match=r"llama\.ssm: 3\n"):
        read(path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"attention.causal": (False, BOOL)}, "`llama.attention.causal` is False: supported: `True`"),
        ({"expert_count": (8, WHOLE)}, "`llama.expert_count` is 8: supported: `0`"),
        ({"rope.dimension_count": (4, WHOLE)}, "`llama.rope.dimension_count` is 4: expected 8, as of whole heads"),
        ({"vocab_size": (60, WHOLE)}, "`llama.vocab_size` is 60: `token_embd.weight` has 61 rows"),
    ],
)  # fmt: skip
def test_a_value_that_is_not_supported_is_an_error(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    assert refused(tmp_path / "w.gguf", **more) == ("E807", message)


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "gpt2"])
def test_a_file_that_leaves_a_key_out_is_read_as_llama_cpp_reads_it_or_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    written(path, name)
    metadata = read_metadata(path)
    made = {"head_count_kv": ("num_key_value_heads", 4), "key_length": ("head_dim", 8)}
    with read_weights(path) as tensors:
        for key in (one for one in metadata if one.startswith(f"{name}.")):
            left = {one: value for one, value in metadata.items() if one != key}
            word = key.rpartition(".")[2]
            if word in made:
                ours, value = made[word]
                # As many heads as of queries; features over heads, which the length of values has to be, too.
                left.pop(f"{name}.attention.value_length", None)
                left.pop(f"{name}.rope.dimension_count", None)
                assert configuration(path, left, tensors).values[ours] == value
            elif key.removeprefix(f"{name}.") in REQUIRED or key == "gemma3.attention.sliding_window":
                with pytest.raises(SpecError, match=f"the metadata have no `{key}`"):
                    configuration(path, left, tensors)
            else:
                configuration(path, left, tensors)


REQUIRED = {
    *("context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count"),
    *("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"),
}
"""What llama.cpp refuses to load without, or finds no tensors of the right shape for."""


def test_a_factor_beside_yarn_is_refused_where_it_is_not_1(tmp_path: Path) -> None:
    """llama.cpp multiplies the magnitude of YaRN by it, transformers puts it in its place."""
    path = tmp_path / "w.gguf"
    yarn = {
        "rope.scaling.type": ("yarn", TEXT),
        "rope.scaling.factor": (4.0, FLOAT),
        "rope.scaling.original_context_length": (10, WHOLE),
    }
    written(path, "llama", **yarn, **{"rope.scaling.attn_factor": (1.0, FLOAT)})
    assert "attention_factor" not in read(path)["rope_scaling"]
    code, message = refused(path, **yarn, **{"rope.scaling.attn_factor": (2.0, FLOAT)})
    assert code == "E807"
    assert message.startswith("`llama.rope.scaling.attn_factor` is 2.0: a magnitude beside that of YaRN")


def test_scalings_are_read(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    written(path, "llama", **{"rope.scaling.type": ("linear", TEXT), "rope.scaling.factor": (4.0, FLOAT)})
    assert read(path)["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}
    written(path, "llama", **{"rope.scaling.type": ("none", TEXT)})
    assert "rope_scaling" not in read(path)
    assert all(key.startswith("rope.scaling.") for key in SCALING)


def test_other_architectures_are_refused_by_name(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "w.gguf", "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(SpecError) as raised:
        read(tmp_path / "w.gguf")
    assert raised.value.diagnostics[0].message == "the architecture `mamba` cannot be imported"
