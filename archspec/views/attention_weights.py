"""Attention weights of one attention, after softmax, computed by the compiled module on given inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.algebra.dim import Dim
from archspec.checking.checks import SpecSource, accepted
from archspec.diagnostics import SpecError, fail
from archspec.ir.graph import Value
from archspec.ir.types import DType
from archspec.model.checked import Checked
from archspec.model.exposing import exposed
from archspec.spec import Spec
from archspec.views.heat_map import AttentionMap
from archspec.views.sites import Site, nothing_at, sites, sites_at

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from archspec.bundle import Bundle

    Array = NDArray[Any]

# Cells and labels of longer sequences would be too small to read.
_MOST = 128


def attend(
    source: SpecSource | Bundle,
    weights: str | Path | Mapping[str, Tensor] | None = None,
    inputs: Mapping[str, Array] | None = None,
    *,
    node: str | None = None,
    row: int = 0,
    layout: str | None = None,
    query_labels: Sequence[str] | None = None,
    key_labels: Sequence[str] | None = None,
    unproved: bool = False,
) -> AttentionMap:
    """Compute the attention weights of a node on inputs.

    Args:
        source: a spec, one that was accepted before, a file, the bare name of a shipped spec, or a bundle or its
            folder, which has weights.
        weights: a safetensors file, a folder with one, or tensors by name; if None, those of the bundle.
        inputs: an array for each input that has no default.
        node: the path of an attention, such as `states.layers.3.cross_attention`, of a node or of a kind of layers,
            whose last layer is used; if None, the last cross-attention, or else the last attention.
        row: the index in the batch.
        layout: the name of the layout of the weights; if None, the one that fits.
        query_labels, key_labels: a label for each position; if None, the ids there, or else position numbers.
        unproved: continue although something in the spec does not hold; not needed for a bundle built this way.

    Returns:
        the weights [heads, queries, keys], whose `svg` draws them.

    Raises:
        SpecError: if the spec does not hold; E751 for a node that is not an attention, E711 to E720 for invalid inputs,
            E510 to E524 for weights, E752 for more positions than can be drawn, E753 for labels that do not fit.
    """
    checked, weights = _opened(source, weights, unproved)
    spec = checked.spec
    site, path = _chosen(spec, node)
    wanted = f"{path}.weights"
    outputs = _with(spec, wanted).outputs
    arrays = _prepared(spec, inputs or {}, row)
    found = _computed(checked, wanted, outputs, weights, layout, arrays)
    # Weights that do not depend on the batch have one row.
    chosen = found[min(row, found.shape[0] - 1)]
    queries, keys = (axis.size for axis in (site.node.inputs[0].type.axes[2], site.node.inputs[1].type.axes[2]))
    _check_size(chosen, path)
    return AttentionMap(
        name=spec.name,
        path=path,
        weights=chosen,
        query_labels=_labels(query_labels, spec, arrays, queries, row, chosen.shape[1], "queries"),
        key_labels=_labels(key_labels, spec, arrays, keys, row, chosen.shape[2], "keys"),
        unproved=checked.faults,
    )


def _opened(source: SpecSource | Bundle, weights: Any, unproved: bool) -> tuple[Checked, Any]:
    """The accepted spec and its weights, by default those of a bundle. Raises SpecError E523 if there are none."""
    from archspec.bundle import Bundle
    from archspec.bundle import open as open_bundle
    from archspec.bundle.read import is_bundle

    if isinstance(source, Bundle) or is_bundle(source):
        bundle = source if isinstance(source, Bundle) else open_bundle(str(source))
        own = bundle.path / bundle.manifest.weights.path
        return bundle.checked(unproved=unproved), own if weights is None else weights
    checked = accepted(source, unproved=unproved)
    if weights is None:
        fail("E523", "no weights were given", None, help="give a safetensors file with `--weights`, or a bundle")
    return checked, weights


def _chosen(spec: Spec, node: str | None) -> tuple[Site, str]:
    """The attention to draw, and its path with all layer numbers. Raises SpecError E751."""
    if node is None:
        known = sites(spec)
        if not known:
            nothing_at(spec.name, known)
        site = ([one for one in known if one.is_cross] or list(known))[-1]
        return site, site.at()
    found = sites_at(spec, node)
    # A node may contain several: prefer the last cross-attention, as without a node.
    site = ([one for one in found if one.is_cross] or list(found))[-1]
    given = site.named_by(node.removesuffix(".weights").split(".")) or ()
    # Layers that the user gave no number are the last ones.
    rest = tuple(layers[-1] for layers in site.layers[len(given) :])
    return site, site.at(*given, *rest)


def _with(spec: Spec, path: str) -> Spec:
    """The spec with a value exposed. Raises SpecError E751 for an attention in a block that exposes no weights."""
    try:
        return exposed(spec, (path,))
    except SpecError as error:
        # The path was found in the graph, so an unknown name means that its block does not offer the value.
        if all(found.code not in ("E201", "E218") for found in error.diagnostics):
            raise
        message = f"the weights of `{path.removesuffix('.weights')}` cannot be drawn"
        fail("E751", message, None, notes=["only sublayers named attention and cross_attention expose their weights"])


def _prepared(spec: Spec, inputs: Mapping[str, Array], row: int) -> dict[str, Array]:
    """The inputs with defaults, after a check. Raises SpecError with all errors, E716 for a row that does not exist."""
    from archspec.model.inputs import prepare
    from archspec.model.ports import interface_of

    arrays = prepare(interface_of(spec), inputs, "float32")
    rows = max((array.shape[0] for array in arrays.values() if array.ndim), default=1)
    if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < rows:
        fail(
            "E716", f"row {row!r} does not exist in a batch of {rows}", None, help=f"choose a row from 0 to {rows - 1}"
        )
    return arrays


def _computed(
    checked: Checked,
    wanted: str,
    outputs: Mapping[str, Value],
    weights: str | Path | Mapping[str, Tensor],
    layout: str | None,
    arrays: Mapping[str, Array],
) -> Array:
    """The value at a path, computed by the compiled module in evaluation mode.

    Args:
        checked: the accepted spec.
        wanted: the path of the weights, which is one of the outputs.
        outputs: the outputs of the spec with the weights exposed.
        weights, layout: as for `attend`.
        arrays: all inputs by name.

    Returns:
        the weights [batch, heads, queries, keys]; the batch is 1 if they do not depend on the row.
    """
    from archspec.contract.torch_module import TorchRunner
    from archspec.lower import compile
    from archspec.weights import load as load_weights

    module = compile(checked, expose=(wanted,))
    module.load_state_dict(load_weights(checked.spec, weights, layout), strict=True)
    runner = TorchRunner(module.eval(), checked.spec.inputs, outputs)
    return runner.run(arrays)[wanted.replace(".", "_")]


def _check_size(weights: Array, path: str) -> None:
    """Raise SpecError E752 if weights [heads, queries, keys] have too many positions to draw."""
    _, queries, keys = weights.shape
    if max(queries, keys) > _MOST:
        message = f"`{path}` has {queries} queries and {keys} keys here, and at most {_MOST} of each are drawn"
        fail("E752", message, None, help="give shorter inputs")


def _labels(
    given: Sequence[str] | None, spec: Spec, arrays: Mapping[str, Array], axis: Dim, row: int, count: int, side: str
) -> tuple[str, ...]:
    """A label for each position: those given, else the ids of an input along the axis, else position numbers.

    Raises SpecError E753 if the number of given labels is not `count`.
    """
    if given is not None:
        if len(given) != count:
            message = f"{len(given)} labels for {count} {side}"
            fail("E753", message, None, help="give one label for each position, padding included")
        return tuple(given)
    for value in spec.graph.inputs:
        # Integers without a bound may be positions or lengths; only bounded ones are taken for ids.
        is_ids = (
            value.type.dtype in (DType.INT64, DType.INT32) and value.type.rank == 2 and value.type.bound is not None
        )
        if is_ids and value.type.shape[1] == axis:
            # An input of one row is that of every row.
            ids = arrays[value.name]
            return tuple(str(item) for item in ids[min(row, ids.shape[0] - 1)])
    return tuple(map(str, range(count)))
