"""The text form of a graph."""

from __future__ import annotations

from archspec.ir.printer import print_graph
from tests.lower.graphs import GRAPHS, exposed

TYPE = "float[batch, src, 8]"
TIED = f"""\
graph made (%x: {TYPE}) {{
  %source = linear(%x) @source {{out=8, bias=False}} [weight: float[8, 8]] : {TYPE}
  %source.1 = repeat(%source) @layers {{module=layers, kinds=(Layer), schedule=Schedule((), (0), 3, ())}} : {TYPE} {{
    0: Layer (%x: {TYPE})
      %inner = call(%x) @inner {{kind=Inner, module=layers.*.inner}} : {TYPE} {{
        0: Inner (%x: {TYPE})
          %0 = linear(%x) @map {{out=8}} [weight=&@source.weight: float[8, 8], bias: float[8]] : {TYPE}
          return %0
      }}
      return %inner
  }}
  return %source.1 as y
}}
"""


def test_modules_repeats_and_ties() -> None:
    assert print_graph(GRAPHS["tied_inside"]()) == TIED


def test_taps_and_frozen_parameters() -> None:
    assert "taps=(Tap(1, 0))" in print_graph(exposed(frozenset({"layers.1"})))
    assert "scale: float[8] frozen" in print_graph(GRAPHS["frozen"]())


def test_the_same_graph_gives_the_same_text() -> None:
    for make in GRAPHS.values():
        assert print_graph(make()) == print_graph(make())
