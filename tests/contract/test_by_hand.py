"""Models that people write by hand: a sound one passes, each mistake is named with the first pair of positions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from archspec.cli.verify_command import made
from archspec.diagnostics import SpecError
from archspec.testing import assert_contract, read_claims
from tests.contract import strange
from tests.contract.decoders import RULES, Decoder

CLAIMS = read_claims(RULES)


def test_a_sound_decoder_passes() -> None:
    report = assert_contract(Decoder(), CLAIMS)
    assert {found.claim: found.status for found in report.findings} == {
        "shapes": "holds",
        "finite": "holds",
        "deterministic": "holds",
        "independent(batch)": "holds",
        "causal(output: logits, input: ids)": "holds",
        "ignores(output: logits, input: ids, where: not valid)": "holds",
        "covers(output: logits, input: ids, mask: causal)": "holds",
    }
    assert all(found.trials for found in report.findings)


@pytest.mark.parametrize(
    ("mistake", "claim", "detail"),
    [
        ("one position ahead", "causal", "logits[0, 0] depends on ids[0, 1]"),
        ("looks ahead after position 4", "causal", "logits[0, 5] depends on ids[0, 6]"),
        ("no padding mask", "ignores", None),
        ("padding forgotten in a mean", "ignores", None),
        ("mean over the batch", "independent(batch)", "logits[0] depends on ids[1]"),
        ("sees nothing but itself", "covers", "logits position 1 does not depend on ids position 0"),
    ],
)
def test_a_mistake_is_caught_with_its_first_pair(mistake: str, claim: str, detail: str | None) -> None:
    with pytest.raises(AssertionError) as raised:
        assert_contract(Decoder(mistake), CLAIMS)
    lines = str(raised.value).splitlines()
    (place,) = [number for number, line in enumerate(lines) if line.strip().startswith(claim)]
    assert lines[place].endswith("violated")
    if detail is not None:
        assert lines[place + 1].strip().startswith(detail)
    broken = [line for line in lines if line.endswith("violated")]
    assert broken == [lines[place]] or claim == "independent(batch)"


def test_a_leak_into_padding_names_a_padded_position() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_contract(Decoder("no padding mask"), CLAIMS)
    (row, output, other, source) = map(
        int, re.search(r"logits\[(\d), (\d)\] depends on ids\[(\d), (\d)\]", str(raised.value)).groups()
    )
    assert row == other
    assert output > source or output == source


def test_parameters_of_zero_hide_nothing_and_stay_as_they_were() -> None:
    decoder = Decoder("one position ahead")
    nn.init.zeros_(decoder.qkv.weight)
    before = decoder.qkv.weight.clone()
    with pytest.raises(AssertionError, match="depends on"):
        assert_contract(decoder, CLAIMS)
    assert torch.equal(decoder.qkv.weight, before)
    assert decoder.training


def test_a_function_and_names_of_its_own(tmp_path: Path) -> None:
    decoder = Decoder().eval()
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")

    def call(tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        return {"scores": decoder(tokens, mask.bool())}

    names = {"ids": "tokens", "valid": "mask"}
    assert_contract(call, file, arguments=names, outputs={"logits": "scores"}, bools=torch.int64)


def test_a_model_that_fails_at_an_admitted_size_is_a_violation() -> None:
    class Short(Decoder):
        def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
            return super().forward(ids, valid) + torch.zeros(10)[: ids.shape[1], None]

    with pytest.raises(AssertionError, match=r"runs +violated\n +the model fails on ids \[\d, 16\]"):
        assert_contract(Short(), CLAIMS)


def test_outputs_of_another_shape_or_not_finite_or_random() -> None:
    class Wrong(Decoder):
        def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
            logits = super().forward(ids, valid)
            if self.mistake == "nan":
                return logits / (ids != 3)[..., None]
            return logits[..., :49] if self.mistake == "shape" else logits + torch.rand(())

    for mistake, claim in (("nan", "finite"), ("shape", "shapes"), ("random", "deterministic")):
        with pytest.raises(AssertionError, match=rf"{claim} +violated"):
            assert_contract(Wrong(mistake), CLAIMS)


def test_a_model_that_runs_in_float32_alone_is_judged_in_float32() -> None:
    class Single(Decoder):
        def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
            return super().forward(ids, valid) @ torch.eye(50, dtype=torch.float32)

    assert_contract(Single(), CLAIMS)
    with pytest.raises(AssertionError, match=r"logits\[0, 0\] depends on ids\[0, 1\]"):
        assert_contract(Single("one position ahead"), CLAIMS)


def test_a_model_without_gradients_is_judged_by_changes() -> None:
    class Detached(Decoder):
        def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
            with torch.no_grad():
                return super().forward(ids, valid)

    report = assert_contract(Detached(), CLAIMS)
    assert report.findings[-1].trials >= 8
    json.dumps(report.to_json(), allow_nan=False)


def test_weights_are_loaded_into_a_copy(tmp_path: Path) -> None:
    """Weights of zero show no dependence: the copy has them, and the module of the caller keeps its own."""
    file, decoder = tmp_path / "weights.safetensors", Decoder()
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    save_file(before, file)
    assert_contract(decoder, CLAIMS, weights=file)
    save_file({name: torch.zeros_like(tensor) for name, tensor in before.items()}, file)
    with pytest.raises(AssertionError, match="logits position 0 does not depend on ids position 0"):
        assert_contract(decoder, CLAIMS, weights=str(file))
    assert all(torch.equal(tensor, before[name]) for name, tensor in decoder.state_dict().items())


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"out.bias": torch.zeros(49)}, "E607"),
        ({"other": torch.zeros(50)}, "E607"),
        ({"out.bias": torch.full((50,), float("nan"))}, "E527"),
        ({"out.bias": torch.full((50,), 1e39, dtype=torch.float64)}, "E527"),
    ],
)
def test_weights_that_do_not_fit_are_refused(wrong: dict[str, Tensor], code: str, tmp_path: Path) -> None:
    state = {**Decoder().state_dict(), **wrong}
    save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(SpecError) as raised:
        assert_contract(Decoder(), CLAIMS, weights=tmp_path / "weights.safetensors")
    assert [found.code for found in raised.value.diagnostics] == [code]


def test_a_function_takes_no_weights(tmp_path: Path) -> None:
    save_file(Decoder().state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(SpecError, match="weights are loaded into a module, got a function"):
        assert_contract(lambda ids, valid: ids, CLAIMS, weights=tmp_path / "weights.safetensors")


@pytest.mark.parametrize(
    ("model", "note"),
    [
        (strange.DividesByZero(), "ZeroDivisionError"),
        (strange.Raises(), "OddError: odd"),
        (strange.OnMeta(), "Cannot copy"),
    ],
)
def test_whatever_a_model_raises_is_reported(model: nn.Module, note: str) -> None:
    with pytest.raises(AssertionError, match=rf"runs +violated\n +the model fails on .*{note}"):
        assert_contract(model, CLAIMS)


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    with pytest.raises(SpecError, match="the module Locked cannot be copied") as raised:
        assert_contract(strange.Locked(), CLAIMS)
    assert [found.code for found in raised.value.diagnostics] == ["E731"]


@pytest.mark.parametrize("kind", [strange.Undifferentiable, strange.ForInference])
def test_a_model_that_fails_with_gradients_is_judged_by_changes(kind: type[Decoder]) -> None:
    assert_contract(kind(), CLAIMS)
    with pytest.raises(AssertionError, match="logits position 1 does not depend on ids position 0"):
        assert_contract(kind("sees nothing but itself"), CLAIMS)


def test_whatever_a_factory_raises_is_reported() -> None:
    with pytest.raises(SpecError, match="does not return a model") as raised:
        made("tests.contract.strange:divides")
    assert raised.value.diagnostics[0].notes == ("ZeroDivisionError: division by zero",)
