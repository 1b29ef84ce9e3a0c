"""Functions of one number: each with its NumPy formula and its PyTorch source."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.ir.op import Emitter
from archspec.ir.source import named, operand
from archspec.record import record

if TYPE_CHECKING:
    from archspec.ir.op import Array


@record(kw_only=False)
class Function:
    """An elementwise function: `formula(numpy, x)` computes it, `source` is PyTorch code with `{x}` for the operand.

    `beside_operator` is true if the operand is next to an operator in the source, and may need parentheses.
    """

    formula: Callable[[Any, Any], Any]
    source: str
    beside_operator: bool = False

    def __call__(self, x: Array) -> Array:
        import numpy as np

        return np.asarray(self.formula(np, x))

    def emit(self, e: Emitter, x: str) -> str:
        """The source of the function of `x`; an operand used twice is assigned to a name first."""
        if self.source.count("{x}") > 1:
            x = named(e, "x", x)
        return self.source.format(x=operand(x) if self.beside_operator else x)


def _sigmoid(np: Any, x: Any) -> Any:
    """The sigmoid by way of its logarithm, which does not overflow for large negative x."""
    return np.exp(-np.logaddexp(0, -x))


def _normal_cdf(np: Any, x: Any) -> Any:
    """The distribution function of the standard normal distribution."""
    # NumPy has no error function, and its `vectorize` makes an object of each number twice.
    scaled = np.asarray(x / math.sqrt(2))
    found = np.fromiter(map(math.erf, scaled.ravel().tolist()), float, scaled.size)
    return 0.5 * (1 + found.reshape(scaled.shape))


def _tanh_gelu(np: Any, x: Any) -> Any:
    """The tanh approximation of GELU (Hendrycks and Gimpel 2016, arXiv 1606.08415, section 2)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


NEGATE = Function(lambda np, x: -x, "-{x}", beside_operator=True)
EXP = Function(lambda np, x: np.exp(x), "torch.exp({x})")
TANH = Function(lambda np, x: np.tanh(x), "torch.tanh({x})")
SIGMOID = Function(_sigmoid, "torch.sigmoid({x})")
SILU = Function(lambda np, x: x * _sigmoid(np, x), "F.silu({x})")
RELU = Function(lambda np, x: np.maximum(x, 0), "F.relu({x})")
RELU6 = Function(lambda np, x: np.clip(x, 0, 6), "F.relu6({x})")
RELU_SQUARED = Function(lambda np, x: np.maximum(x, 0) ** 2, "F.relu({x}).square()")
GELU = Function(lambda np, x: x * _normal_cdf(np, x), "F.gelu({x})")
GELU_TANH = Function(_tanh_gelu, 'F.gelu({x}, approximate="tanh")')
QUICK_GELU = Function(lambda np, x: x * _sigmoid(np, 1.702 * x), "{x} * torch.sigmoid(1.702 * {x})")
