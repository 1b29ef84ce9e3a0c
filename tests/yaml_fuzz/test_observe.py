"""What is changed as one: features and channels, never positions."""

from __future__ import annotations

from tests.yaml_fuzz.draft import Made, Size
from tests.yaml_fuzz.observe import features_of

BATCH, HALF, TWO, WIDTH = Size("batch", (1, 3)), Size("n//2", (1, 3)), Size("2", ()), Size("4", ())


def test_channels_of_a_map_and_features_of_parts_are_changed_as_one() -> None:
    rows, columns = Size("rows", (1, 4)), Size("columns", (2, 4))
    assert features_of(Made("image", (BATCH, WIDTH, rows, columns))) == 1
    assert features_of(Made("parts", (BATCH, HALF, TWO, WIDTH))) == 3
    assert features_of(Made("x", (BATCH, HALF, WIDTH))) == 2
