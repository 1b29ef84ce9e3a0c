"""Batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.ir.coordinates import aligned
from archspec.ir.motion import Motion
from archspec.ir.moving import same, together
from archspec.ir.op import Emitter, ParameterSpec, Primitive, Reads, Role, ShapeError
from archspec.ir.operands import FLOAT, require
from archspec.ir.placement import Partial, Shard, Sharding
from archspec.ir.sharded import along
from archspec.ir.source import call
from archspec.ir.types import DType, TensorType
from archspec.ops.norm.scaling import factor, scaling, written_eps
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


_FROZEN = '''
class FrozenBatchNorm(nn.Module):
    """Batch norm [b, c, ...] of which nothing trains, and whose statistics stay."""

    def __init__(
        self, channels: int, eps: float = 1e-5, affine: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Buffer(torch.empty(channels)) if affine else None
        self.bias = nn.Buffer(torch.empty(channels)) if affine and bias else None
        self.running_mean = nn.Buffer(torch.empty(channels))
        self.running_var = nn.Buffer(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x [b, c, ...] by the stored statistics."""
        statistics = self.running_mean, self.running_var
        return F.batch_norm(x, *statistics, self.weight, self.bias, eps=self.eps)
'''


@record
class BatchNorm(Primitive):
    """`y = (x - running_mean) / sqrt(running_var + eps) * weight + bias` per channel (axis 1).

    With `unit_offset`, the factor is `1 + weight`. In training, mean and variance are those of the batch over all
    other axes, and the running statistics are updated with momentum 0.1 (the variance with its unbiased estimate).
    With `frozen`, the formula holds in training too, and nothing is updated.

    Parameters: `weight` [c] (initialised to zeros with `unit_offset`) and `bias` [c], both optional. Buffers:
    `running_mean` [c], `running_var` [c], `num_batches_tracked` []; with `frozen` the weight and the bias are buffers
    too, and batches are not counted.
    Source: Ioffe and Szegedy 2015, arXiv 1502.03167; `frozen` as torchvision's `FrozenBatchNorm2d`.
    """

    name = "batch_norm"
    signature = "b c ... -> b c ..."
    anywhere = True
    acts = "affine"

    eps: float = 1e-5
    weight: bool = True
    bias: bool = True
    unit_offset: bool = False
    frozen: bool = False

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        """The type of the operand. Raises ShapeError if it has no channels, or more than 2 spatial axes."""
        require(inputs, FLOAT)
        if not 2 <= inputs[0].rank <= 4:
            raise ShapeError(f"needs batch, channels and up to 2 spatial axes, got {inputs[0]}", (0,))
        if self.bias and not self.weight:
            raise ShapeError("batch norm with a bias but no weight is not supported")
        return (inputs[0],)

    def parameters(self, *inputs: TensorType) -> dict[str, ParameterSpec]:
        """The weight and the bias, if requested, and the running statistics."""
        channels = inputs[0].with_axes(inputs[0].shape[1])
        roles: tuple[Role, Role] = ("variance", "mean") if self.frozen else ("norm", "bias")
        specs = scaling(channels, weight=self.weight, bias=self.bias, unit_offset=self.unit_offset, roles=roles)
        specs |= {
            "running_mean": ParameterSpec(type=channels, role="mean"),
            "running_var": ParameterSpec(type=channels, role="variance"),
        }
        # The formula does not use it, but PyTorch's checkpoints hold it.
        count = {"num_batches_tracked": ParameterSpec(type=TensorType.of(DType.INT64), role="count")}
        return specs if self.frozen else specs | count

    def reads(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Reads:
        """The same position: outside training the statistics are constants."""
        return ((aligned(outputs[0], inputs[0], [(k, k) for k in range(inputs[0].rank)]),),)

    def shardings(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Sequence[Sharding]:
        """By channels; a frozen one by any other axis too, or in terms."""
        names = [name for name, spec in self.parameters(*inputs).items() if spec.type.rank]
        channels = Sharding(operands=(Shard(1),), results=(Shard(1),), parameters=dict.fromkeys(names, Shard(0)))
        if not self.frozen:
            # In training the statistics are those of all rows and places.
            return (channels,)
        moved = {name: Partial() for name in names if name in ("running_mean", "bias")}
        linear = Sharding(operands=(Partial(),), results=(Partial(),), parameters=moved)
        return (channels, linear, *along([same(*(k for k in range(inputs[0].rank) if k != 1))]))

    def moved(
        self, operands: Sequence[Motion], inputs: Sequence[TensorType], outputs: Sequence[TensorType]
    ) -> tuple[Motion, ...]:
        """With the operand, but for what moves along the channels."""
        return (together(operands, [same(*(k for k in range(inputs[0].rank) if k != 1))]),)

    def reference(
        self, inputs: Sequence[Array], parameters: Mapping[str, Array], sizes: Mapping[str, int]
    ) -> tuple[Array, ...]:
        """The formula."""
        import numpy as np

        x = inputs[0]
        # All but the count of batches, which has no axis.
        p = {name: array.reshape(-1, *(1,) * (x.ndim - 2)) for name, array in parameters.items() if array.ndim}
        y = (x - p["running_mean"]) / np.sqrt(p["running_var"] + self.eps)
        y = y * (p["weight"] + self.unit_offset) if self.weight else y
        return (y + p["bias"] if self.bias else y,)

    def layer(self, *inputs: TensorType) -> str | None:
        """`nn.BatchNorm2d`, or a frozen one; with a unit offset it only holds the parameters and is not called."""
        channels, eps = str(inputs[0].shape[1]), written_eps(self.eps)
        affine = None if self.weight else "False"
        bias = "False" if self.weight and not self.bias else None
        if self.frozen:
            return call("FrozenBatchNorm", channels, eps=eps, affine=affine, bias=bias)
        # `nn.BatchNorm1d` takes [b c] as well as [b c x].
        name = f"nn.BatchNorm{max(inputs[0].rank - 2, 1)}d"
        return call(name, channels, eps=eps, affine=affine, bias=bias)

    @property
    def layer_class(self) -> str:
        """The class of a frozen norm; empty for the others."""
        return _FROZEN if self.frozen else ""

    @property
    def calls_layer(self) -> bool:
        """False with a unit offset, which `nn.BatchNorm2d` does not support."""
        return not self.unit_offset

    def emit(self, e: Emitter, inputs: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
        """`F.batch_norm`."""
        statistics = [parameters[name] for name in ("running_mean", "running_var")]
        training = None if self.frozen else e.training
        weight, bias = factor(parameters, self.unit_offset), parameters.get("bias")
        given = {"weight": weight, "bias": bias, "training": training, "eps": written_eps(self.eps)}
        return (call("F.batch_norm", inputs[0], *statistics, **given),)
