"""Exchanges of values between ranks, each of which has a network of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.engines.network.functions import UnsupportedError, computes
from archspec.engines.network.plan import Attributes


@computes("DIST_COLLECTIVE")
def dist_collective(at: Attributes, *each: Tensor) -> Tensor:
    """Return what a rank is given, of what every rank has: the sum, or parts one after another along axis 0.

    Raises UnsupportedError for fewer values than ranks, for groups of ranks, and for another operation.
    """
    if len(each) != at["num_ranks"]:
        raise UnsupportedError(f"it has {at['num_ranks']} ranks, and {len(each)} run")
    # Operation and groups are those of the ONNX node: the layer tells the number of ranks alone.
    if at.get("nb_rank") != at["num_ranks"] or at.get("group_size"):
        raise UnsupportedError("its groups of ranks are not known")
    match at["collective_operation"], at["reduce_op"]:
        case "all_reduce", "sum":
            return torch.stack(each).sum(0)
        case "all_gather", "none":
            return torch.cat(each)
        case operation, reduce:
            raise UnsupportedError(f"its operation `{operation}` with `{reduce}` is not supported")
