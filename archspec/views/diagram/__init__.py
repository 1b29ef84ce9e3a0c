"""The diagram of an architecture, in the style of figures in papers.

`survey` decides which nodes are drawn, `tidy` merges parts, `lanes` assigns them to columns, `place` computes their
positions, `route` the lines between them, and `draw` writes the SVG.
"""
