"""Emitted modules split over tensor ranks against the same module in one process."""

from __future__ import annotations

from archspec.spec.shipped import shipped_specs_dir

import pytest
from contextlib import nullcontext
import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.debug import CommDebugMode

from archspec.spec import load
from tests.parallel.emitted import Emitted, differs, emitted, gradients, loaded, loss, outputs, whole
from tests.parallel.ranks import Ranks

import sys

SPECS = sorted(path.stem for path in shipped_specs_dir().glob("*.yaml"))


def parity(texts: Emitted, count: int) -> tuple[float, float, dict[str, int]]:
    reference = whole(texts)
    wanted = outputs(reference, texts.inputs)
    loss(wanted).backward()
    module = whole(texts)
    loaded(texts.parallelize)["parallelize"](module, init_device_mesh("cpu", (count,), mesh_dim_names=("tensor",)))
    with nullcontext():
        found = outputs(module, texts.inputs)
        loss(found).backward()
    counts = {}
    forward = max(differs(a, b) for a, b in zip(found, wanted, strict=True))
    expected, given = gradients(reference), gradients(module)
    assert expected.keys() == given.keys()
    off = {name: differs(given[name], one) for name, one in expected.items()}
    worst = max(off, key=off.__getitem__)
    return forward, off[worst], counts, worst


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", SPECS)
def test_forward_and_gradients(name: str, count: int, ranks: Ranks) -> None:
    spec = load(name, reduced=True)
    texts, plan = emitted(spec, count)
    for forward, backward, counts, worst in ranks.run(count, parity, texts, count):
        print(name, count, forward, backward, counts, worst)
        assert forward < 1e-10
        assert backward < 1e-10
