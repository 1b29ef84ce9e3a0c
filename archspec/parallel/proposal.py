"""A proposal: a plan over tensor, data and pipeline ranks, with what each rank holds and exchanges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product

from archspec.analyses.cache import cache_size
from archspec.analyses.cost import BYTES
from archspec.analyses.memory import in_words
from archspec.analyses.parameters import expand, numbered
from archspec.analyses.sharding.collectives import Collective, collectives
from archspec.analyses.sharding.fully_sharded import data_collectives, data_elements, gathered_elements
from archspec.analyses.sharding.held import (
    ELEMENT_BYTES,
    TRAINING_BYTES,
    ActivationDType,
    RankShare,
    activations,
    rank_share,
)
from archspec.analyses.sharding.plan import Plan
from archspec.analyses.sharding.planner import plan
from archspec.analyses.sharding.splits import check_splits, splits
from archspec.analyses.sharding.state import cache_share
from archspec.diagnostics import Diagnostic, SpecError
from archspec.ir.graph import Graph
from archspec.ir.op import Primitive
from archspec.ir.types import DType, TensorType
from archspec.lower.boundaries import boundaries
from archspec.lower.emission import with_masks
from archspec.model.checked import Checked
from archspec.parallel.staging import StagedModel, staged
from archspec.passes.incremental.incremental import incremental
from archspec.record import record
from archspec.spec import Spec

# More tensor ranks than one machine has devices would exchange every layer over a network.
_MOST_TENSOR = 8
_MOST_RANKS = 4096
_INSTEAD = "give a number of ranks that divides heads and features, or split the weights alone with `--data`"


@record(eq=False)
class Proposal:
    """A plan and its sizes.

    `graph` is the emitted one, `dtype` the type of activations and of what is exchanged; `data` and `pipeline` are the
    numbers of ranks besides the tensor ranks of `plan`; `staged` is None without a pipeline.
    """

    spec: Spec
    graph: Graph
    plan: Plan
    data: int
    pipeline: int
    staged: StagedModel | None
    dtype: ActivationDType

    @cached_property
    def share(self) -> RankShare:
        """What one tensor rank holds and computes."""
        return rank_share(self.graph, self.plan)

    @cached_property
    def exchanged(self) -> tuple[Collective, ...]:
        """Everything that ranks of one stage exchange in a step, of all stages together."""
        over_data = data_collectives(self.graph, self.plan, self.data) if self.data > 1 else ()
        return (*collectives(self.plan), *over_data)

    def bytes(self, one: Collective) -> int:
        """Bytes that each rank gives to all exchanges of one kind at one place, at the typical dims."""
        return one.times * one.elements.typical() * self.element_bytes(one.dtype)

    def element_bytes(self, dtype: DType) -> int:
        """Bytes of an element."""
        return ELEMENT_BYTES[self.dtype] if dtype is DType.FLOAT else BYTES[dtype]

    def sent(self, types: Sequence[TensorType]) -> int:
        """Bytes that a stage sends to the next one in a forward pass, at the typical dims."""
        return sum(type_.elements().typical() * self.element_bytes(type_.dtype) for type_ in types)

    @property
    def draws(self) -> bool:
        """Whether the model draws random numbers in training, so that seeds matter."""
        return any(isinstance(node.op, Primitive) and node.op.draws for node in self.graph.walk())

    @cached_property
    def stored(self) -> int:
        """Elements of parameters that a rank of the largest stage stores."""
        if self.staged is None:
            return sum(self.elements.values())
        return max(
            sum(self.elements.get(stage.name_in_model(name), 0) for name in expand(stage.graph))
            for stage in self.staged.graphs
        )

    @cached_property
    def elements(self) -> Mapping[str, int]:
        """The elements that a rank stores of each parameter, by its name in the model."""
        found: dict[str, int] = {}
        for one in self.plan.parameters:
            if not one.parameter.buffer:
                names = (numbered(one.group.pattern, layers) for layers in product(*one.group.layers))
                found.update(dict.fromkeys(names, data_elements(one, self.plan.ranks, self.data)))
        return found

    def tied_bytes(self, name: str) -> int:
        """Bytes of the gradient that a stage sends, and receives, of a parameter that several stages hold."""
        return self.elements[name] * ELEMENT_BYTES[self.dtype]

    @cached_property
    def memory(self) -> Mapping[str, int]:
        """Bytes of a rank at the typical dims, by what takes them."""
        everything, again = (elements.typical() for elements in activations(self.graph, self.plan))
        width = ELEMENT_BYTES[self.dtype]
        # A stage works on several parts of a batch at a time, which together are about one batch of the whole.
        return {
            "training_state": TRAINING_BYTES * self.stored,
            "gathered": width * gathered_elements(self.graph, self.plan, self.data),
            "activations": width * everything,
            "activations_checkpointed": width * again,
        }

    @property
    def total(self) -> int:
        """Bytes of a rank in training, with the layers computed again in the backward pass."""
        memory = self.memory
        return memory["training_state"] + memory["gathered"] + memory["activations_checkpointed"]

    @cached_property
    def cache(self) -> tuple[int, int] | None:
        """Bytes of the cache of one row at the maximum length: of the model and of a rank; None without a cache."""
        decode = self.spec.decode
        if decode is None:
            return None
        try:
            found = incremental(self.spec.graph, decode.input, [decode.output])
        except SpecError:
            # `check` tells why such a spec has no cache.
            return None
        size = cache_size(found.state)
        most = (size.position.maximum() * found.length.max + size.row.maximum()) * ELEMENT_BYTES[self.dtype] // 4
        return most, round(most * cache_share(found.state, self.graph, self.plan))


def propose(
    checked: Checked,
    tensor: int | None,
    data: int | None,
    pipeline: int | None,
    memory: int | None,
    dtype: ActivationDType = "float32",
    *,
    sequence: bool = False,
) -> Proposal:
    """The plan of a spec at the given numbers of ranks; those that are not given are 1, or found by the memory.

    Args:
        checked: the spec.
        tensor: ranks that split heads and features.
        data: ranks that split the batch and the weights.
        pipeline: stages.
        memory: bytes of a device; without, nothing is searched for.
        dtype: type of activations and of what is exchanged.
        sequence: whether tensor ranks hold parts of the length in repeated layers, where nothing else is split.

    Raises:
        SpecError: E900 if nothing can be split over the tensor ranks, E901 if the model has fewer layers than stages,
            E902 if no plan fits the memory, E920 for layers that cannot be cut into stages.
    """
    largest: Proposal | None = None
    for largest in _proposals(checked.spec, tensor, data, pipeline or 1, memory, dtype, sequence):
        if memory is None or largest.total <= memory:
            return largest
    raise _too_large(largest, memory or 0)


def _proposals(
    spec: Spec,
    tensor: int | None,
    data: int | None,
    pipeline: int,
    memory: int | None,
    dtype: ActivationDType,
    sequence: bool,
) -> Iterator[Proposal]:
    """Proposals, fewest ranks first."""
    graph = with_masks(spec)
    hooks = boundaries(graph)
    known: dict[int, Plan] = {}
    for ranks, copies in _sizes(tensor, data, memory):
        found = known[ranks] = known.get(ranks) or plan(graph, ranks, hooks, sequence=sequence)
        if ranks == 1 or splits(found):
            yield _proposal(spec, graph, found, copies, pipeline, dtype)
        elif tensor is not None:
            check_splits(spec.name, found, _INSTEAD)


def _too_large(made: Proposal | None, memory: int) -> SpecError:
    """E902: the largest proposal does not fit."""
    # Without tensor ranks every model is proposed, and with numbers of these the first that splits nothing is refused.
    assert made is not None
    sizes = f"{made.plan.ranks} tensor and {made.data} data ranks"
    taken = tuple(f"{name.replace('_', ' ')}: {in_words(size)}" for name, size in made.memory.items())
    message = f"`{made.spec.name}` does not fit in {in_words(memory)}: one of {sizes} takes {in_words(made.total)}"
    help = "give devices with more memory, more ranks, or smaller typical dims"
    return SpecError([Diagnostic(code="E902", message=message, notes=taken, help=help)])


def _sizes(tensor: int | None, data: int | None, memory: int | None) -> Iterator[tuple[int, int]]:
    """Numbers of tensor and data ranks, fewest ranks first; of equally many, fewest tensor ranks first."""
    if memory is None:
        yield tensor or 1, data or 1
        return
    powers = [2**k for k in range(_MOST_RANKS.bit_length())]
    tensors = [tensor] if tensor is not None else [one for one in powers if one <= _MOST_TENSOR]
    datas = [data] if data is not None else powers
    pairs = ((t, d) for t in tensors for d in datas if t * d <= max(_MOST_RANKS, (tensor or 1) * (data or 1)))
    yield from sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair[0]))


def _proposal(spec: Spec, graph: Graph, made: Plan, data: int, pipeline: int, dtype: ActivationDType) -> Proposal:
    cut = staged(spec.name, graph, pipeline) if pipeline > 1 else None
    return Proposal(spec=spec, graph=graph, plan=made, data=data, pipeline=pipeline, staged=cut, dtype=dtype)
