"""Every kind of layer against torch or NumPy, in networks that TensorRT itself builds and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.engines.network.building import Made, computed, normal, trt

Array = np.ndarray


def same(found: Array, expected: Any, tolerance: float = 1e-6) -> None:
    wanted = expected.numpy() if isinstance(expected, torch.Tensor) else np.asarray(expected)
    assert found.shape == wanted.shape
    assert found.dtype.kind == wanted.dtype.kind
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(normal(*shape, seed=seed))


POSITIVE = {"LOG", "SQRT", "ACOSH", "RECIP"}
WITHIN_ONE = {"ASIN", "ACOS", "ATANH"}
UNARY = {
    **{name: getattr(np, name.lower()) for name in ("EXP", "LOG", "SQRT", "ABS", "SIN", "COS", "TAN", "SINH", "COSH")},
    **{f"A{name}": getattr(np, f"arc{name.lower()}") for name in ("SIN", "COS", "TAN", "SINH", "COSH", "TANH")},
    **{name: getattr(np, name.lower()) for name in ("CEIL", "FLOOR", "SIGN", "ISINF", "ISNAN")},
    "RECIP": np.reciprocal,
    "NEG": np.negative,
    "ROUND": np.rint,
    "ERF": lambda x: torch.erf(torch.from_numpy(x)).numpy(),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    x = normal(3, 5)
    x = 1.1 + np.abs(x) if name in POSITIVE else np.tanh(x) * 0.9 if name in WITHIN_ONE else x
    x[0, :3] = (0.5, 1.5, np.inf) if name in ("ROUND", "ISINF") else x[0, :3]
    found = computed(lambda net, a: net.add_unary(a, getattr(trt.UnaryOperation, name)), x)
    same(found, UNARY[name](x))


def test_every_unary_operation_is_known() -> None:
    assert set(trt.UnaryOperation.__members__) == {*UNARY, "NOT"}
    x = np.array([[True, False]])
    same(computed(lambda net, a: net.add_unary(a, trt.UnaryOperation.NOT), x), ~x)


ELEMENTWISE: dict[str, Callable[[Array, Array], Array]] = {
    "SUM": np.add,
    "PROD": np.multiply,
    "MAX": np.maximum,
    "MIN": np.minimum,
    "SUB": np.subtract,
    "DIV": np.divide,
    "POW": lambda x, y: np.abs(x) ** y,
    "FLOOR_DIV": np.floor_divide,
    "EQUAL": np.equal,
    "GREATER": np.greater,
    "LESS": np.less,
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_broadcasts(name: str) -> None:
    x, y = normal(4, 3, 1), normal(1, 3, 5, seed=1)
    x = np.abs(x) if name == "POW" else x
    x[:, 0] = y[:, 0, 0] if name == "EQUAL" else x[:, 0]
    found = computed(lambda net, a, b: net.add_elementwise(a, b, getattr(trt.ElementWiseOperation, name)), x, y)
    same(found, ELEMENTWISE[name](x, y), 1e-5)


def test_every_elementwise_operation_is_known() -> None:
    logical = {"AND": np.logical_and, "OR": np.logical_or, "XOR": np.logical_xor}
    assert set(trt.ElementWiseOperation.__members__) == {*ELEMENTWISE, *logical}
    x, y = np.array([[True, True, False, False]]), np.array([[True, False, True, False]])
    for name, expected in logical.items():
        operation = getattr(trt.ElementWiseOperation, name)
        same(computed(lambda net, a, b, op=operation: net.add_elementwise(a, b, op), x, y), expected(x, y))


def test_integers_divide_towards_zero_and_floor_division_down() -> None:
    x, y = np.array([-7, 7, -7, 7], dtype=np.int64), np.array([2, 2, -2, -2], dtype=np.int64)
    division = trt.ElementWiseOperation
    same(computed(lambda net, a, b: net.add_elementwise(a, b, division.DIV), x, y), np.array([-3, 3, 3, -3]))
    same(computed(lambda net, a, b: net.add_elementwise(a, b, division.FLOOR_DIV), x, y), x // y)


ACTIVATIONS = {
    "RELU": F.relu,
    "SIGMOID": torch.sigmoid,
    "TANH": torch.tanh,
    "LEAKY_RELU": lambda x: F.leaky_relu(x, 0.3),
    "ELU": lambda x: F.elu(x, 0.3),
    "SELU": lambda x: 0.7 * torch.where(x > 0, x, 0.3 * (x.exp() - 1)),
    "SOFTSIGN": F.softsign,
    "SOFTPLUS": lambda x: 0.3 * torch.log(torch.exp(0.7 * x) + 1),
    "CLIP": lambda x: x.clamp(0.3, 0.7),
    "HARD_SIGMOID": lambda x: (0.3 * x + 0.7).clamp(0, 1),
    "SCALED_TANH": lambda x: 0.3 * torch.tanh(0.7 * x),
    "THRESHOLDED_RELU": lambda x: torch.where(x > 0.3, x, 0),
    "GELU_ERF": F.gelu,
    "GELU_TANH": lambda x: F.gelu(x, approximate="tanh"),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    x = tensor(4, 9)

    def build(net: Any, a: Any) -> Any:
        layer = net.add_activation(a, getattr(trt.ActivationType, name))
        layer.alpha, layer.beta = 0.3, 0.7
        return layer

    same(computed(build, x.numpy()), ACTIVATIONS[name](x))


def test_every_activation_is_known() -> None:
    assert set(trt.ActivationType.__members__) == set(ACTIVATIONS)


def test_a_slope_for_each_channel() -> None:
    x, slopes = tensor(2, 3, 4, 4), tensor(1, 3, 1, 1, seed=1)
    found = computed(lambda net, a, b: net.add_parametric_relu(a, b), x.numpy(), slopes.numpy(), static=True)
    same(found, F.prelu(x, slopes.reshape(3)))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("NONE", "NONE", lambda x, y: x @ y),
        ("TRANSPOSE", "NONE", lambda x, y: x.mT @ y),
        ("NONE", "TRANSPOSE", lambda x, y: x @ y.mT),
    ],
)
def test_matrices(left: str, right: str, expected: Any) -> None:
    x, y = tensor(2, 3, 4, 4), tensor(1, 3, 4, 4, seed=1)
    operation = trt.MatrixOperation
    build = lambda net, a, b: net.add_matrix_multiply(a, getattr(operation, left), b, getattr(operation, right))  # noqa: E731
    same(computed(build, x.numpy(), y.numpy()), expected(x, y), 1e-5)


def test_vectors() -> None:
    x, y, matrix = tensor(2, 4), tensor(2, 4, seed=1), tensor(2, 4, 5, seed=2)
    vector, none = trt.MatrixOperation.VECTOR, trt.MatrixOperation.NONE
    found = computed(lambda net, a, b: net.add_matrix_multiply(a, vector, b, vector), x.numpy(), y.numpy())
    same(found, (x * y).sum(-1))
    found = computed(lambda net, a, b: net.add_matrix_multiply(a, vector, b, none), x.numpy(), matrix.numpy())
    same(found, torch.einsum("bi,bio->bo", x, matrix), 1e-5)
    found = computed(
        lambda net, a, b: net.add_matrix_multiply(a, trt.MatrixOperation.TRANSPOSE, b, vector),
        matrix.numpy(),
        x.numpy(),
    )
    same(found, torch.einsum("bio,bi->bo", matrix, x), 1e-5)


def test_an_equation() -> None:
    x, y = tensor(2, 3, 4), tensor(4, 3, 5, seed=1)
    found = computed(lambda net, a, b: net.add_einsum([a, b], "bij,jik->bk"), x.numpy(), y.numpy())
    same(found, torch.einsum("bij,jik->bk", x, y), 1e-5)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("name", "reduce"),
    [("SUM", np.sum), ("PROD", np.prod), ("MAX", np.max), ("MIN", np.min), ("AVG", np.mean)],
)
def test_reduce(name: str, reduce: Any, keep: bool) -> None:
    x = normal(2, 3, 4)
    found = computed(lambda net, a: net.add_reduce(a, getattr(trt.ReduceOperation, name), 0b101, keep), x)
    same(found, reduce(x, axis=(0, 2), keepdims=keep), 1e-5)


def test_softmax() -> None:
    x = tensor(2, 3, 4)

    def build(net: Any, a: Any) -> Any:
        layer = net.add_softmax(a)
        layer.axes = 1 << 1
        return layer

    same(computed(build, x.numpy()), x.softmax(1))


def test_shuffle_orders_reshapes_and_orders() -> None:
    x = normal(2, 3, 4)

    def build(net: Any, a: Any) -> Any:
        layer = net.add_shuffle(a)
        layer.first_transpose, layer.reshape_dims, layer.second_transpose = (1, 0, 2), (0, -1), (1, 0)
        return layer

    same(computed(build, x), x.transpose(1, 0, 2).reshape(3, 8).T)


def test_a_zero_in_a_shape_is_the_axis_there_or_nothing() -> None:
    x = normal(0, 3)

    def build(net: Any, a: Any) -> Any:
        layer = net.add_shuffle(a)
        layer.reshape_dims, layer.zero_is_placeholder = (7, 0), False
        return layer

    assert computed(build, x).shape == (7, 0)


def test_a_shape_that_is_a_tensor() -> None:
    made = Made()
    x, shape = made.input(normal(2, 6)), made.input(np.array([3, -1], dtype=np.int64), static=True)
    layer = made.network.add_shuffle(x)
    layer.set_input(1, shape)
    same(made.run(layer.get_output(0))[0], normal(2, 6).reshape(3, 4))


def slices(mode: str, start: int, size: int, stride: int) -> Array:
    def build(net: Any, a: Any) -> Any:
        layer = net.add_slice(a, (0, start), (2, size), (1, stride))
        layer.mode = getattr(trt.SampleMode, mode)
        return layer

    return computed(build, np.arange(10, dtype=np.float32).reshape(2, 5))[0]


def test_slices_step_repeat_and_turn_back() -> None:
    same(slices("STRICT_BOUNDS", 1, 2, 2), np.array([1.0, 3.0]))
    same(slices("STRICT_BOUNDS", 3, 4, 0), np.array([3.0] * 4))
    same(slices("STRICT_BOUNDS", 4, 3, -2), np.array([4.0, 2.0, 0.0]))


def test_what_lies_outside_a_slice() -> None:
    row = np.arange(5, dtype=np.float32)
    same(slices("WRAP", 3, 5, 1), np.pad(row, (0, 3), "wrap")[3:])
    same(slices("CLAMP", -2, 9, 1), np.pad(row, 2, "edge"))
    same(slices("REFLECT", -2, 9, 1), np.pad(row, 2, "reflect"))
    same(slices("FILL", -2, 9, 1), np.pad(row, 2))


def test_a_slice_whose_numbers_are_tensors() -> None:
    made = Made()
    x = made.input(normal(4, 6))
    numbers = [made.input(np.array(one, dtype=np.int64), static=True) for one in ([1, 0], [2, 3], [2, 2])]
    layer = made.network.add_slice(x, (0, 0), (1, 1), (1, 1))
    for index, tensor_ in enumerate(numbers, start=1):
        layer.set_input(index, tensor_)
    same(made.run(layer.get_output(0))[0], normal(4, 6)[1:4:2, 0:6:2])


def test_a_slice_of_some_axes() -> None:
    made = Made()
    x = made.input(normal(4, 6))
    layer = made.network.add_slice(x, (2,), (3,), (1,))
    layer.axes = (1,)
    same(made.run(layer.get_output(0))[0], normal(4, 6)[:, 2:5])


def test_gather() -> None:
    x, indices = normal(3, 4, 5), np.array([[0, 3], [1, -1]], dtype=np.int64)
    same(computed(lambda net, a, b: net.add_gather(a, b, 1), x, indices), np.take(x, indices, 1))
    single = np.array(2, dtype=np.int64)
    same(computed(lambda net, a, b: net.add_gather(a, b, 2), x, single), x[:, :, 2])


def test_gather_row_by_row() -> None:
    x, indices = normal(2, 4, 5), np.array([[0, 3, 1], [1, 2, 2]], dtype=np.int64)

    def build(net: Any, a: Any, b: Any) -> Any:
        layer = net.add_gather(a, b, 1)
        layer.num_elementwise_dims = 1
        return layer

    same(computed(build, x, indices), np.stack([x[row][indices[row]] for row in range(2)]))


def test_gather_single_numbers_and_places() -> None:
    x = normal(3, 4)
    single = np.array([[0, 3], [1, 1], [2, 0]], dtype=np.int64)

    def elements(net: Any, a: Any, b: Any) -> Any:
        layer = net.add_gather_v2(a, b, trt.GatherMode.ELEMENT)
        layer.axis = 1
        return layer

    same(computed(elements, x, single), np.take_along_axis(x, single, 1))
    places = np.array([[0, 3], [2, 1]], dtype=np.int64)
    found = computed(lambda net, a, b: net.add_gather_v2(a, b, trt.GatherMode.ND), x, places, static=True)
    same(found, x[places[:, 0], places[:, 1]])


def test_scatter() -> None:
    x, updates = tensor(3, 4), tensor(2, 4, seed=1)
    indices = torch.tensor([[0, 1, 2, 0], [1, 0, 0, 2]])

    def elements(net: Any, a: Any, b: Any, c: Any) -> Any:
        layer = net.add_scatter(a, b, c, trt.ScatterMode.ELEMENT)
        layer.axis = 0
        return layer

    found = computed(elements, x.numpy(), indices.numpy(), updates.numpy(), static=True)
    same(found, x.scatter(0, indices, updates))
    rows = torch.tensor([[2], [0]])
    found = computed(
        lambda net, a, b, c: net.add_scatter(a, b, c, trt.ScatterMode.ND),
        *(x.numpy(), rows.numpy(), updates.numpy()),
        static=True,
    )
    expected = x.clone()
    expected[[2, 0]] = updates
    same(found, expected)


def test_select_and_concatenation() -> None:
    condition, x, y = normal(3, 1) > 0, normal(3, 4), normal(1, 4, seed=1)
    same(computed(lambda net, a, b, c: net.add_select(a, b, c), condition, x, y), np.where(condition, x, y))

    def joined(net: Any, *parts: Any) -> Any:
        layer = net.add_concatenation(list(parts))
        layer.axis = 1
        return layer

    same(computed(joined, x, normal(3, 2)), np.concatenate([x, normal(3, 2)], 1))


def test_shape_and_axes_of_size_one() -> None:
    x = normal(2, 1, 3)
    same(computed(lambda net, a: net.add_shape(a), x), np.array([2, 1, 3]))
    made = Made()
    axes = made.constant(np.array([1], dtype=np.int64))
    same(made.run(made.network.add_squeeze(made.input(x), axes).get_output(0))[0], x[:, 0])
    made = Made()
    axes = made.constant(np.array([0, 3], dtype=np.int64))
    same(made.run(made.network.add_unsqueeze(made.input(x), axes).get_output(0))[0], x[None, :, :, None])


def test_casts_truncate_and_identity_keeps() -> None:
    x = np.array([[-1.7, 0.0, 2.9]], dtype=np.float32)
    same(computed(lambda net, a: net.add_cast(a, trt.int32), x), np.array([[-1, 0, 2]], dtype=np.int32))
    same(computed(lambda net, a: net.add_cast(a, trt.bool), x), x != 0)
    same(computed(lambda net, a: net.add_identity(a), x), x)


def test_fill() -> None:
    made = Made()
    layer = made.network.add_fill((4,), trt.FillOperation.LINSPACE, trt.float32)
    layer.alpha, layer.beta = 1.0, 0.5
    same(made.run(layer.get_output(0))[0], 1 + 0.5 * np.arange(4))
    made = Made()
    parts = [np.array([2, 3], dtype=np.int64), np.array(5, dtype=np.int64), np.array([10, 1], dtype=np.int64)]
    layer = made.network.add_fill((1, 1), trt.FillOperation.LINSPACE, trt.int64)
    for index, part in enumerate(parts):
        layer.set_input(index, made.input(part, static=True))
    same(made.run(layer.get_output(0))[0], 5 + 10 * np.arange(2)[:, None] + np.arange(3))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolution(dims: int) -> None:
    x, kernel, bias = tensor(2, 4, *[9] * dims), tensor(6, 2, *[3] * dims, seed=1), tensor(6, seed=2)
    made = Made()
    tensors = [made.constant(one.numpy()) for one in (kernel, bias)]
    # TensorRT has no convolution over one axis: it is one over two, the first of which is 1.
    wide = x.unsqueeze(2) if dims == 1 else x
    window = (1, 3) if dims == 1 else (3,) * dims
    if dims == 1:
        tensors[0] = made.constant(kernel.unsqueeze(2).numpy())
    layer = made.network.add_convolution_nd(made.input(wide.numpy(), static=True), 6, window, trt.Weights())
    layer.set_input(1, tensors[0])
    layer.set_input(2, tensors[1])
    layer.num_groups, layer.stride_nd = 2, (1, 2) if dims == 1 else (2,) * dims
    layer.pre_padding, layer.post_padding = [(0, 1) if dims == 1 else (1,) * dims] * 2
    convolve = (F.conv1d, F.conv2d, F.conv3d)[dims - 1]
    expected = convolve(x, kernel, bias, stride=2, padding=1, groups=2)
    same(made.run(layer.get_output(0))[0], expected.unsqueeze(2) if dims == 1 else expected, 1e-5)


def test_convolution_with_weights_of_its_own_and_uneven_padding() -> None:
    x, kernel, bias = tensor(2, 3, 8, 8), tensor(5, 3, 2, 2, seed=1), tensor(5, seed=2)
    made = Made()
    layer = made.network.add_convolution_nd(
        made.input(x.numpy(), static=True), 5, (2, 2), made.weights(kernel.numpy()), made.weights(bias.numpy())
    )
    layer.pre_padding, layer.post_padding, layer.dilation_nd = (0, 1), (2, 0), (2, 1)
    expected = F.conv2d(F.pad(x, (1, 0, 0, 2)), kernel, bias, dilation=(2, 1))
    same(made.run(layer.get_output(0))[0], expected, 1e-5)


def test_convolution_that_keeps_the_size() -> None:
    x, kernel = tensor(1, 1, 7, 8), tensor(1, 1, 4, 3, seed=1)
    for mode, padding in (("SAME_UPPER", (1, 1, 1, 2)), ("SAME_LOWER", (1, 1, 2, 1))):
        made = Made()
        layer = made.network.add_convolution_nd(
            made.input(x.numpy(), static=True), 1, (4, 3), made.weights(kernel.numpy())
        )
        layer.padding_mode = getattr(trt.PaddingMode, mode)
        same(made.run(layer.get_output(0))[0], F.conv2d(F.pad(x, padding), kernel), 1e-5)


def test_deconvolution() -> None:
    x, kernel, bias = tensor(2, 4, 5, 5), tensor(4, 3, 3, 3, seed=1), tensor(6, seed=2)
    made = Made()
    layer = made.network.add_deconvolution_nd(
        made.input(x.numpy(), static=True), 6, (3, 3), made.weights(kernel.numpy()), made.weights(bias.numpy())
    )
    layer.num_groups, layer.stride_nd, layer.padding_nd = 2, (2, 2), (1, 1)
    expected = F.conv_transpose2d(x, kernel, bias, stride=2, padding=1, groups=2)
    same(made.run(layer.get_output(0))[0], expected, 1e-5)


@pytest.mark.parametrize("kind", ["MAX", "AVERAGE"])
@pytest.mark.parametrize("padded", [False, True])
def test_pooling(kind: str, padded: bool) -> None:
    x = tensor(2, 3, 9, 8)

    def build(net: Any, a: Any) -> Any:
        layer = net.add_pooling_nd(a, getattr(trt.PoolingType, kind), (3, 2))
        layer.stride_nd = (2, 2)
        layer.padding_nd = (1, 1) if padded else (0, 0)
        return layer

    padding = (1, 1) if padded else 0
    mean = F.avg_pool2d(x, (3, 2), 2, padding, count_include_pad=False)
    expected = F.max_pool2d(x, (3, 2), 2, padding) if kind == "MAX" else mean
    same(computed(build, x.numpy(), static=True), expected, 1e-5)


def test_pooling_that_rounds_up_and_that_counts_padding() -> None:
    x = tensor(2, 3, 8, 8)

    def ceiling(net: Any, a: Any) -> Any:
        layer = net.add_pooling_nd(a, trt.PoolingType.MAX, (3, 3))
        layer.stride_nd, layer.padding_mode = (2, 2), trt.PaddingMode.EXPLICIT_ROUND_UP
        return layer

    same(computed(ceiling, x.numpy(), static=True), F.max_pool2d(x, 3, 2, ceil_mode=True))

    def counting(net: Any, a: Any) -> Any:
        layer = net.add_pooling_nd(a, trt.PoolingType.AVERAGE, (2, 2))
        layer.padding_nd, layer.average_count_excludes_padding = (1, 1), False
        return layer

    same(computed(counting, x.numpy(), static=True), F.avg_pool2d(x, 2, 1, 1), 1e-5)


def test_layer_and_instance_and_group_normalization() -> None:
    x = tensor(2, 6, 5, 5)

    def over(scale: torch.Tensor, bias: torch.Tensor, axes: int, groups: int = 1) -> Array:
        made = Made()
        tensors = [made.input(one.numpy(), static=True) for one in (x, scale, bias)]
        layer = made.network.add_normalization_v2(*tensors, axes)
        layer.epsilon, layer.num_groups = 1e-3, groups
        return made.run(layer.get_output(0))[0]

    scale, bias = tensor(1, 1, 1, 5, seed=1), tensor(1, 1, 1, 5, seed=2)
    same(over(scale, bias, 0b1000), F.layer_norm(x, (5,), scale.reshape(5), bias.reshape(5), 1e-3), 1e-5)
    scale, bias = tensor(1, 6, 1, 1, seed=1), tensor(1, 6, 1, 1, seed=2)
    flat = (scale.reshape(6), bias.reshape(6))
    same(over(scale, bias, 0b1100), F.group_norm(x, 6, *flat, 1e-3), 1e-5)
    same(over(scale, bias, 0b1100, 3), F.group_norm(x, 3, *flat, 1e-3), 1e-5)


@pytest.mark.parametrize(
    ("mode", "torch_mode", "corners"),
    [
        ("LINEAR", "bilinear", True),
        ("LINEAR", "bilinear", False),
        ("CUBIC", "bicubic", True),
        ("CUBIC", "bicubic", False),
    ],
)
def test_resize(mode: str, torch_mode: str, corners: bool) -> None:
    x = tensor(1, 2, 5, 6)

    def build(net: Any, a: Any) -> Any:
        layer = net.add_resize(a)
        layer.shape, layer.resize_mode = (1, 2, 9, 4), getattr(trt.InterpolationMode, mode)
        coordinates = trt.ResizeCoordinateTransformation
        layer.coordinate_transformation = coordinates.ALIGN_CORNERS if corners else coordinates.HALF_PIXEL
        return layer

    expected = F.interpolate(x, (9, 4), mode=torch_mode, align_corners=corners)
    same(computed(build, x.numpy(), static=True), expected, 1e-5)


def test_resize_to_the_nearest_by_scales() -> None:
    x = tensor(1, 2, 5, 6)

    def build(net: Any, a: Any) -> Any:
        layer = net.add_resize(a)
        layer.scales, layer.resize_mode = (1, 1, 2, 1.5), trt.InterpolationMode.NEAREST
        layer.coordinate_transformation = trt.ResizeCoordinateTransformation.ASYMMETRIC
        layer.nearest_rounding = trt.ResizeRoundMode.FLOOR
        return layer

    same(computed(build, x.numpy(), static=True), F.interpolate(x, scale_factor=(2, 1.5), mode="nearest"))


def test_topk_takes_the_first_of_equals() -> None:
    x = np.array([[3.0, 1.0, 3.0, 2.0]], dtype=np.float32)
    made = Made()
    layer = made.network.add_topk(made.input(x, static=True), trt.TopKOperation.MAX, 3, 0b10)
    values, indices = made.run(layer.get_output(0), layer.get_output(1))
    same(values, np.array([[3.0, 3.0, 2.0]]))
    same(indices, np.array([[0, 2, 3]]))
    made = Made()
    layer = made.network.add_topk(made.input(x, static=True), trt.TopKOperation.MIN, 2, 0b10)
    same(made.run(layer.get_output(1))[0], np.array([[1, 3]]))


def test_cumulative_sums() -> None:
    x = normal(2, 4)
    for exclusive in (False, True):
        for reverse in (False, True):
            made = Made()
            axis = made.constant(np.array(1, dtype=np.int64))
            operation = trt.CumulativeOperation.SUM
            layer = made.network.add_cumulative(made.input(x), axis, operation, exclusive, reverse)
            turned = x[:, ::-1] if reverse else x
            expected = np.cumsum(turned, 1) - (turned if exclusive else 0)
            same(made.run(layer.get_output(0))[0], expected[:, ::-1] if reverse else expected, 1e-5)


def test_non_zero_and_one_hot() -> None:
    x = np.array([[0.0, 2.0], [1.0, 0.0]], dtype=np.float32)
    same(computed(lambda net, a: net.add_non_zero(a), x), np.stack(np.nonzero(x)))
    made = Made()
    indices = made.input(np.array([[0, 2]], dtype=np.int32))
    values, depth = made.constant(np.array([-1.0, 4.0], dtype=np.float32)), made.constant(np.array(3, dtype=np.int32))
    layer = made.network.add_one_hot(indices, values, depth, -1)
    same(made.run(layer.get_output(0))[0], np.where(np.eye(3, dtype=bool)[[[0, 2]]], 4.0, -1.0))


@pytest.mark.parametrize("mode", ["UNIFORM", "CHANNEL", "ELEMENTWISE"])
def test_scale(mode: str) -> None:
    x = np.abs(normal(2, 3, 4, 5))
    shape = {"UNIFORM": (1,), "CHANNEL": (3,), "ELEMENTWISE": (3, 4, 5)}[mode]
    shift, scale, power = (np.abs(normal(*shape, seed=seed)) for seed in (1, 2, 3))
    made = Made()
    weights = [made.weights(one) for one in (shift, scale, power)]
    layer = made.network.add_scale_nd(made.input(x, static=True), getattr(trt.ScaleMode, mode), *weights, 1)
    wide = {"UNIFORM": (1, 1, 1), "CHANNEL": (3, 1, 1), "ELEMENTWISE": (3, 4, 5)}[mode]
    expected = (x * scale.reshape(wide) + shift.reshape(wide)) ** power.reshape(wide)
    same(made.run(layer.get_output(0))[0], expected, 1e-5)


def test_padding() -> None:
    x = normal(1, 2, 4, 4)
    found = computed(lambda net, a: net.add_padding_nd(a, (1, -1), (0, 2)), x, static=True)
    same(found, np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2)))[..., 1:])


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_embedding(interleaved: bool) -> None:
    x, angles = tensor(2, 3, 5, 8), tensor(2, 5, 3, seed=1)
    made = Made()
    tables = [made.input(one.numpy(), static=True) for one in (angles.cos(), angles.sin())]
    layer = made.network.add_rotary_embedding(made.input(x.numpy(), static=True), *tables, interleaved, 6)
    first = x[..., :6]
    pairs = first.unflatten(-1, (3, 2)) if interleaved else first.unflatten(-1, (2, 3)).mT
    turned = torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones(()), angles[:, None])
    back = torch.view_as_real(turned) if interleaved else torch.view_as_real(turned).mT
    same(made.run(layer.get_output(0))[0], torch.cat((back.flatten(-2), x[..., 6:]), -1), 1e-5)


def test_a_cache_is_written_from_a_row_on() -> None:
    cache, update = normal(2, 3, 6, 4), normal(2, 3, 2, 4, seed=1)
    made = Made()
    tensors = [made.input(one, static=True) for one in (cache, update, np.array([0, 3], dtype=np.int32))]
    layer = made.network.add_kv_cache_update(*tensors, trt.KVCacheMode.LINEAR)
    expected = cache.copy()
    expected[0, :, 0:2], expected[1, :, 3:5] = update
    same(made.run(layer.get_output(0))[0], expected)


@pytest.mark.parametrize("kind", ["NONE", "UPPER_LEFT", "LOWER_RIGHT", "bool mask", "float mask", "no softmax"])
def test_attention(kind: str) -> None:
    q, k, v = tensor(2, 4, 3, 8), tensor(2, 2, 5, 8, seed=1), tensor(2, 2, 5, 8, seed=2)
    mask = tensor(2, 1, 3, 5, seed=3)
    made = Made()
    tensors = [made.input(one.numpy(), static=True) for one in (q, k, v)]
    norm = trt.AttentionNormalizationOp
    causal = getattr(trt.CausalMaskKind, kind, trt.CausalMaskKind.NONE)
    layer = made.network.add_attention_v2(*tensors, norm.NONE if kind == "no softmax" else norm.SOFTMAX, causal)
    seen = {
        "UPPER_LEFT": torch.ones(3, 5, dtype=torch.bool).tril(),
        "LOWER_RIGHT": torch.ones(3, 5, dtype=torch.bool).tril(2),
        "bool mask": mask > 0,
        "float mask": mask,
    }.get(kind)
    if kind.endswith("mask"):
        layer.mask = made.input(seen.numpy(), static=True)
        assert layer.mask is not None
    k, v = (one.repeat_interleave(2, 1) for one in (k, v))
    expected = F.scaled_dot_product_attention(q, k, v, seen, scale=1.0)
    expected = (q @ k.mT) @ v if kind == "no softmax" else expected
    same(made.run(layer.get_output(0))[0], expected, 1e-5)
