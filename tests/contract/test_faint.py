"""What a model does not show is lost in its precision only where a twin in float64 shows that it is little."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from archspec.contract.protocol import Precision, Subject
from archspec.contract.verify import verify
from archspec.model.runner import FunctionRunner
from archspec.spec.claims import read_claims

CLAIMS = read_claims(
    """
archspec: 1
name: sums
dims: {batch: [1, 2, 4], length: [1, 6, 16]}
inputs:
  x: float[batch, length, 3]
outputs:
  y: float[batch, length, 3]
rules:
  - covers: {output: y, input: x, mask: causal}
"""
)
HALF = Precision(name="float16", parity=5e-2, faint=5e-2)


def runner(share: float) -> FunctionRunner:
    """Each position, and a share of the sum up to it."""

    def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"y": arrays["x"] + share * np.cumsum(arrays["x"], axis=1)}

    return FunctionRunner(function=run)


@pytest.mark.parametrize(
    ("share", "of_twin", "precision", "status"),
    [
        (0.1, None, Precision(), "holds"),
        (0.0, None, Precision(), "violated"),
        (0.0, None, HALF, "not measured"),
        (0.0, 1e-9, Precision(), "not measured"),
        (0.0, 1e-2, Precision(), "violated"),
        (0.0, 1e-3, HALF, "not measured"),
        (0.0, 0.5, HALF, "violated"),
    ],
)
def test_a_lower_rule(share: float, of_twin: float | None, precision: Precision, status: str) -> None:
    twin = None if of_twin is None else runner(of_twin)
    report = verify(Subject(name="sums", runner=runner(share), precision=precision, twin=twin), CLAIMS)
    (found,) = [one for one in report.findings if one.claim.startswith("covers")]
    assert found.status == status
