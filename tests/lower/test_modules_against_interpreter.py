"""The emitted module and the interpreter of the graph agree, name by name and number by number."""

from __future__ import annotations

import pytest
import torch

from tests.lower.graphs import GRAPHS, SIZES
from tests.lower.running import compare, module_from, source_of


@pytest.mark.parametrize("name", GRAPHS)
def test_the_module_equals_the_interpreter(name: str) -> None:
    graph = GRAPHS[name]()
    module = module_from(source_of(graph))
    compare(graph, module, SIZES)
    compare(graph, module, {**SIZES, "src": 7, "tgt": 1, "batch": 1, "rows": 4})


def test_a_row_without_a_key_is_zero_and_finite() -> None:
    graph = GRAPHS["encoder_decoder"]()
    valid = torch.ones(3, 5, dtype=torch.bool)
    valid[1] = False
    compare(graph, module_from(source_of(graph)), SIZES, src_valid=valid)
