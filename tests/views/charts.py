"""Reading charts back: the colours of their cells."""

from __future__ import annotations

from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def cells_of(document: str) -> list[list[list[str]]]:
    """For each panel its rows of colours, by the places of the rectangles."""
    found = []
    for group in ElementTree.fromstring(document).iter(f"{SVG}g"):
        if group.get("class") == "cells":
            rects = [(float(r.attrib["y"]), float(r.attrib["x"]), r.attrib["fill"]) for r in group.iter(f"{SVG}rect")]
            rows = sorted({y for y, _, _ in rects})
            found.append([[fill for y, _, fill in sorted(rects) if y == row] for row in rows])
    return found
