"""The oracle: the graph run over the references of its primitives, in float64 NumPy, straight from the formulas."""
