"""Parameter counts of the shipped specs, from the graph and from the module."""

from __future__ import annotations

import time

import torch

from archspec.analyses.cost import cost
from archspec.checking import compile
from archspec.spec import load
from archspec.spec.shipped import shipped_specs_dir
from archspec.weights import parameter_shapes

COUNTS = {
    "transformer-base": 63_082_496,
    "transformer-big": 214_245_376,
    "vit-b16": 86_567_656,
    "vit-l16": 304_326_632,
    "vit-h14": 632_045_800,
    "bert-base": 109_482_240,
    "minilm-l6": 22_713_216,
    "gpt2": 124_439_808,
    "t5-small": 60_506_624,
    "mt5-small": 300_176_768,
    "bart-base": 139_470_681,
    "opus-mt-en-de": 73_944_309,
    "llama-3-8b": 8_030_261_248,
    "smollm2-135m": 134_515_008,
    "mixtral-8x7b": 46_702_792_704,
    "resnet-50": 25_557_032,
    "convnext-tiny": 28_589_128,
    "swin-t": 28_288_354,
    "convnext-small": 50_223_688,
    "mlp-mixer-b16": 59_880_472,
    "mit-b0": 3_319_392,
    "segformer-b0": 3_752_694,
    "mobilenet-v2": 3_506_153,
    # As the class of transformers counts them, whose frozen norms are buffers.
    "detr-resnet-50": 41_524_768,
    "whisper-tiny": 37_760_640,
    "conformer-m": 24_351_232,
    "conformer-m-causal": 24_351_232,
    "mistral-7b": 7_241_732_096,
    "gemma-2-2b": 2_614_341_888,
    "prefix-lm-base": 124_439_808,
    "modernbert-base": 149_014_272,
    "clip-vit-b32": 151_277_313,
    "dinov2-small": 22_056_576,
    "gated-attention": 112_015_872,
    "bert-large": 335_141_888,
    "gpt2-xl": 1_557_611_200,
    "vit-b32": 88_224_232,
    "deit-s": 22_050_664,
    "deit-s-distilled": 22_436_432,
    "siglip-base": 203_155_970,
    "dinov2-base": 86_580_480,
    "t5-base": 222_903_552,
    "llama-2-7b": 6_738_415_616,
    "llama-3.2-1b": 1_235_814_400,
    "qwen3-0.6b": 596_049_920,
    "olmo2-1b": 1_484_916_736,
    "roberta-base": 124_645_632,
    "distilbert-base": 66_362_880,
    "electra-small": 13_483_008,
    "albert-base": 11_683_584,
    "mpnet-base": 109_486_464,
    "ast-base": 86_594_063,
    "dinov3-small": 21_596_544,
    "gpt-oss-20b": 20_914_757_184,
    "dit-xl-2": 674_834_720,
    "coatnet-0": 25_221_012,
    # From transformers' classes at the published configurations, on the meta device.
    "pythia-70m": 70_426_624,
    "opt-125m": 125_239_296,
    "bloom-560m": 559_214_592,
    "gpt-neo-125m": 125_198_592,
    "qwen2.5-0.5b": 494_032_768,
    "smollm3-3b": 3_075_098_624,
    "phi-3-mini": 3_821_079_552,
    "gemma-3-270m": 268_098_176,
    "qwen3-30b-a3b": 30_532_122_624,
    # There the 58 * 256 biases that select experts are no parameters, but published files count them.
    "deepseek-v3": 671_026_419_200,
}


def counted(name: str) -> tuple[int, int]:
    """The parameters of a shipped spec: those of its graph, and those of its module on the meta device."""
    spec = load(name)
    with torch.device("meta"):
        module = compile(spec)
    shapes = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    assert list(shapes.items()) == list(parameter_shapes(spec.graph).items()), name
    assert spec.counts is not None
    assert spec.counts.parameters == cost(spec.graph).parameters, name
    return cost(spec.graph).parameters, sum(parameter.numel() for parameter in module.parameters())


def test_counts_are_exact() -> None:
    assert set(COUNTS) == {path.stem for path in shipped_specs_dir().glob("*.yaml")}
    start = time.perf_counter()
    found = {name: counted(name) for name in COUNTS}
    seconds = time.perf_counter() - start
    assert found == {name: (count, count) for name, count in COUNTS.items()}
    print(f"{len(COUNTS)} counts, from graphs and from modules on the meta device, in {seconds:.1f} s")
