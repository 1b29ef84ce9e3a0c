"""Sizes that cannot be followed position by position leave a question open, at once."""

from __future__ import annotations

from time import process_time

import pytest

from archspec.checking import check


@pytest.mark.parametrize("image", ["16384", "32000000000", "32" + "0" * 17])
def test_images_of_any_size_are_judged_at_once(image: str) -> None:
    began = process_time()
    report = check("vit-b16", set=[f"image={image}", "patch=8", "graph.tokens.positions=none"])
    assert process_time() - began < 5
    assert [verdict.status for verdict in report.verdicts] == ["unknown", "proved"]
    errors = [one for one in report.diagnostics if one.severity == "error"]
    # Its two layouts still name the table of positions that is left out here.
    assert sorted(one.code for one in errors) == ["E421", "E512", "E512"]
    (found,) = (one for one in errors if one.code == "E421")
    assert found.notes[1].endswith("positions, too many to trace one by one")
