"""The stages of a pipeline: what each of them runs, what it sends to the next, and which parameters several hold."""

from __future__ import annotations

from archspec.analyses.parameters import expand
from archspec.analyses.sharding.stages import PipelineStage, parts_that_compute, stages
from archspec.diagnostics import fail
from archspec.ir.graph import Graph
from archspec.ir.types import TensorType
from archspec.parallel.cutting import StageGraph, stage_graphs
from archspec.record import record


@record(eq=False)
class StagedModel:
    """A model in stages: `parts` are what they are made of, `graphs` what they run."""

    parts: tuple[PipelineStage, ...]
    graphs: tuple[StageGraph, ...]

    def sends(self, number: int) -> tuple[TensorType, ...]:
        """The types of what a stage sends to the next one in a forward pass; of the last one, none."""
        if number == len(self.graphs) - 1:
            return ()
        following = self.graphs[number + 1]
        return tuple(value.type for value in following.graph.inputs[: following.received])

    @property
    def tied(self) -> dict[str, list[int]]:
        """The trained parameters that several stages hold, with the numbers of these."""
        holders: dict[str, list[int]] = {}
        for number, stage in enumerate(self.graphs):
            for name, parameter in expand(stage.graph).items():
                if parameter.trainable and not parameter.buffer:
                    holders.setdefault(stage.name_in_model(name), []).append(number)
        return {name: numbers for name, numbers in holders.items() if len(numbers) > 1}


def staged(name: str, graph: Graph, count: int) -> StagedModel:
    """Cut a model into the stages of a pipeline.

    Args:
        name: of the model.
        graph: as it is emitted.
        count: the number of stages.

    Raises:
        SpecError: E901 if the model has fewer layers than stages, E920 for layers that cannot be cut.
    """
    found = stages(graph, count)
    if found is None:
        message = f"`{name}` has {parts_that_compute(graph)}: too few for {count} pipeline stages"
        fail("E901", message, None, help="give fewer stages, and split each layer with `--tensor`")
    return StagedModel(parts=tuple(found), graphs=tuple(stage_graphs(graph, [len(stage.units) for stage in found])))
