"""Convolution at random geometry, against PyTorch and against what a change reaches."""

from __future__ import annotations

from math import prod

import numpy as np
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import tensor

from archspec.algebra.dim import Dim
from archspec.ops.convolution.convolution import Convolution
from archspec.relation.evaluate import matrix
from tests.ops.case import Case, floats
from tests.ops.perturbation import dependence


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One or two spatial axes, any stride, padding, dilation and groups that fit."""
    space = draw(st.integers(1, 2))
    kernel, stride, padding, dilation, size = (
        tuple(draw(st.lists(st.integers(low, high), min_size=space, max_size=space)))
        for low, high in ((1, 3), (1, 3), (0, 2), (1, 2), (2, 7 // space))
    )
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels, wanted = (groups * draw(st.integers(1, 2)) for _ in range(2))
    fits = zip(size, padding, dilation, kernel, strict=True)
    assume(all(n + 2 * p > d * (k - 1) for n, p, d, k in fits))
    numbers = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    op = Convolution(channels=Dim.of(wanted), groups=groups, bias=draw(st.booleans()), **numbers)
    return Case(op=op, inputs=(floats(1, channels, *size),))


@given(cases(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_any_geometry(case: Case, seed: int) -> None:
    op, rng = case.op, np.random.default_rng(seed)
    assert isinstance(op, Convolution)
    (x,), parameters = case.values(rng), case.parameters(rng)
    weight, bias = (None if p is None else tensor(p) for p in (parameters["weight"], parameters.get("bias")))
    convolve = F.conv1d if len(op.kernel) == 1 else F.conv2d
    expected = convolve(tensor(x), weight, bias, op.stride, op.padding, op.dilation, op.groups).numpy()
    (found,) = op.reference([x], parameters, {})
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    assert expected.shape == case.shape(case.outputs[0])
    (reached,) = dependence(case, lambda values: op.reference(values, parameters, {}), 0, [x], rng)
    declared = matrix(op.reads(case.inputs, case.outputs)[0][0], expected.shape, x.shape, {}, {})
    assert not (reached & ~declared).any()
    # Taps that lie apart and groups of several channels are exact too, as long as they are few.
    several = op.groups not in (x.shape[1], expected.shape[1])
    apart = prod(k for k, d in zip(op.kernel, op.dilation, strict=True) if d > 1) * (op.groups if several else 1)
    assert (reached == declared).all() or apart > 12
