"""The oracle: the graph evaluated by its primitives' references, in float64 NumPy, straight from the formulas."""
