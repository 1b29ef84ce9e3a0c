"""A proposal: a plan over tensor, data and pipeline ranks, with what each rank holds and exchanges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from archspec.algebra.dim import Dim
from archspec.analyses.cache import cache_size
from archspec.analyses.cost import BYTES, flops
from archspec.analyses.memory import in_words
from archspec.analyses.sharding.collectives import Collective, collectives
from archspec.analyses.sharding.fully_sharded import data_collectives, data_elements, gathered_elements
from archspec.analyses.sharding.held import (
    ELEMENT_BYTES,
    TRAINING_BYTES,
    ActivationDType,
    RankShare,
    kept_elements,
    rank_share,
)
from archspec.analyses.sharding.plan import Conversion, StoredParameter, Unsplit
from archspec.analyses.sharding.splits import check_experts, check_splits, splits
from archspec.analyses.sharding.state import cache_share
from archspec.diagnostics import Diagnostic, SpecError
from archspec.ir.op import Primitive
from archspec.ir.types import DType, TensorType
from archspec.lower.emission import with_masks
from archspec.model.checked import Checked
from archspec.parallel.parts import RankPart, model_part, stage_parts, together
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
    """Plans and their sizes.

    `model` is all of it on `tensor` ranks, `parts` are what groups of them run: the model itself, or the stages of
    `staged`, which is None without a pipeline. `data` and `pipeline` are the numbers of ranks besides the tensor ranks,
    `dtype` is the type of activations and of what is exchanged.
    """

    spec: Spec
    model: RankPart
    parts: tuple[RankPart, ...]
    data: int
    pipeline: int
    staged: StagedModel | None
    dtype: ActivationDType

    @property
    def tensor(self) -> int:
        """The number of tensor ranks."""
        return self.model.plan.ranks

    @cached_property
    def share(self) -> RankShare:
        """What one tensor rank computes of all stages, and stores of each parameter once."""
        shares = [rank_share(part.graph, part.plan) for part in self.parts]
        stored = [one for one in self.parameters if not one.parameter.buffer]
        return RankShare(
            parameters=sum(one.group.count * one.rank_elements for one in stored),
            all_parameters=sum(one.group.count * one.group.elements for one in stored),
            flops=sum((one.flops for one in shares), Dim.of(0)),
            all_flops=flops(self.model.graph),
            whole_flops=sum((one.whole_flops for one in shares), Dim.of(0)),
        )

    @cached_property
    def parameters(self) -> tuple[StoredParameter, ...]:
        """How the parameters and buffers of the model are stored; layers of a list together where they are alike."""
        return together(self.parts)

    @property
    def conversions(self) -> tuple[Conversion, ...]:
        """What hooks convert, stage by stage."""
        return tuple(one for part in self.parts for one in part.plan.conversions)

    @property
    def unsplit(self) -> tuple[Unsplit, ...]:
        """What is not split, stage by stage."""
        return tuple(one for part in self.parts for one in part.plan.unsplit)

    @cached_property
    def exchanged(self) -> tuple[Collective, ...]:
        """Everything that ranks of one stage exchange in a step, of all stages together."""
        return tuple(
            one
            for part in self.parts
            for one in (
                *collectives(part.plan),
                *(data_collectives(part.graph, part.plan, self.data) if self.data > 1 else ()),
            )
        )

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
        return any(isinstance(node.op, Primitive) and node.op.draws for node in self.model.graph.walk())

    @cached_property
    def stored(self) -> int:
        """Elements of parameters that a rank of the largest stage stores."""
        return max(sum(self.elements.get(name, 0) for name in part.names) for part in self.parts)

    @cached_property
    def elements(self) -> Mapping[str, int]:
        """The elements that a rank stores of each parameter, by its name in the model."""
        return {
            name: data_elements(one, self.tensor, self.data)
            for part in self.parts
            for name, one in part.stored
            if not one.parameter.buffer
        }

    def tied_bytes(self, name: str) -> int:
        """Bytes of the gradient that a stage sends, and receives, of a parameter that several stages hold."""
        return self.elements[name] * ELEMENT_BYTES[self.dtype]

    @cached_property
    def memory(self) -> Mapping[str, int]:
        """Bytes of a rank at the typical dims, by what takes them."""
        kept = [kept_elements(part.graph, part.plan) for part in self.parts]
        # A stage works on several parts of a batch at a time, which together are about one batch of all stages.
        everything, between = (
            sum(sizes) for sizes in zip(*((a.everything.typical(), a.between.typical()) for a in kept), strict=True)
        )
        width = ELEMENT_BYTES[self.dtype]
        return {
            "training_state": TRAINING_BYTES * self.stored,
            "gathered": width * max(gathered_elements(part.graph, part.plan, self.data) for part in self.parts),
            "activations": width * everything,
            "activations_checkpointed": width * (between + max(one.layer.typical() for one in kept)),
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
        return most, round(most * cache_share(found.state, self.model.graph, self.model.plan))


def propose(
    checked: Checked,
    tensor: int | None,
    data: int | None,
    pipeline: int | None,
    memory: int | None,
    dtype: ActivationDType = "float32",
    *,
    sequence: bool = False,
    expert_parallel: bool = False,
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
        expert_parallel: whether tensor ranks have whole experts, where they divide these.

    Raises:
        SpecError: E900 if nothing can be split over the tensor ranks, or there are no experts, E901 if the model has
            fewer layers than stages, E902 if no plan fits the memory, E920 for layers that cannot be cut into stages.
    """
    largest: Proposal | None = None
    for largest in _proposals(checked.spec, tensor, data, pipeline or 1, memory, dtype, sequence, expert_parallel):
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
    expert_parallel: bool,
) -> Iterator[Proposal]:
    """Proposals, fewest ranks first."""
    graph = with_masks(spec)
    cut = staged(spec.name, graph, pipeline) if pipeline > 1 else None
    known: dict[int, tuple[RankPart, tuple[RankPart, ...]]] = {}
    for ranks, copies in _sizes(tensor, data, memory):
        if ranks not in known:
            model = model_part(graph, ranks, sequence=sequence, expert_parallel=expert_parallel)
            required = tensor is not None
            known[ranks] = model, _parts(spec.name, model, cut, required=required, expert_parallel=expert_parallel)
        model, parts = known[ranks]
        if parts:
            yield Proposal(spec=spec, model=model, parts=parts, data=copies, pipeline=pipeline, staged=cut, dtype=dtype)


def _parts(
    name: str, model: RankPart, cut: StagedModel | None, *, required: bool, expert_parallel: bool
) -> tuple[RankPart, ...]:
    """What groups of tensor ranks run; nothing where they split nothing, or E900 if it is `required` that they do."""
    ranks = model.plan.ranks
    if ranks > 1 and not splits(model.plan):
        if required:
            check_splits(name, model.plan, _INSTEAD)
        return ()
    if expert_parallel and not model.plan.experts:
        check_experts(name, [model.plan])
    return (model,) if cut is None else stage_parts(name, cut, ranks, expert_parallel=expert_parallel)


def _too_large(made: Proposal | None, memory: int) -> SpecError:
    """E902: the largest proposal does not fit."""
    # Without tensor ranks every model is proposed, and with numbers of these the first that splits nothing is refused.
    assert made is not None
    sizes = f"{made.tensor} tensor and {made.data} data ranks"
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
