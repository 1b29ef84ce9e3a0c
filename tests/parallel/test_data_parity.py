"""Data ranks with batches of their own against one process that accumulates the same batches."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh

from archspec.spec import load
from tests.lower.running import inputs_of
from tests.parallel.emitted import Emitted, differs, emitted, gradients, loaded, loss, outputs, whole
from tests.parallel.ranks import Ranks

SPECS = ["gpt2", "llama-3-8b", "t5-small", "albert-base", "gemma-2-2b", "deepseek-v3"]
MORE = [pytest.mark.slow, pytest.mark.long]
WAYS = [
    pytest.param(1, False, id="1-kept"),
    pytest.param(2, True, id="2-recomputed"),
    pytest.param(1, True, id="1-recomputed", marks=MORE),
    pytest.param(2, False, id="2-kept", marks=MORE),
]


def parity(texts: Emitted, batches: list[Mapping[str, Tensor]], tensor: int, recompute: bool) -> tuple[float, float]:
    """The largest differences of outputs and gradients."""
    reference = whole(texts)
    wanted = []
    for batch in batches:
        wanted.append(outputs(reference, batch))
        (loss(wanted[-1]) / len(batches)).backward()
    module = whole(texts)
    names = ("data", "tensor") if tensor > 1 else ("data",)
    mesh = init_device_mesh("cpu", (len(batches), tensor)[: len(names)], mesh_dim_names=names)
    loaded(texts.parallelize)["parallelize"](module, mesh, checkpoint_layers=recompute)
    number = mesh.get_local_rank("data")
    found = outputs(module, batches[number])
    loss(found).backward()
    forward = max(differs(a, b) for a, b in zip(found, wanted[number], strict=True))
    expected, given = gradients(reference), gradients(module)
    assert expected.keys() == given.keys()
    return forward, max(differs(given[name], one) for name, one in expected.items())


@pytest.mark.parametrize(("tensor", "recompute"), WAYS)
@pytest.mark.parametrize("name", SPECS)
def test_batches_of_two_data_ranks(name: str, tensor: int, recompute: bool, ranks: Ranks) -> None:
    spec = load(name, reduced=True)
    texts, _ = emitted(spec, 2)
    sizes = {name: dim.typical for name, dim in spec.dims.items()}
    batches = [inputs_of(spec.graph, sizes, seed) for seed in (0, 1)]
    for forward, backward in ranks.run(2 * tensor, parity, texts, batches, tensor, recompute):
        assert forward < 1e-10
        assert backward < 1e-10
