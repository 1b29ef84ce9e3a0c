"""Decoding as a transformation: a graph over all positions becomes one over the new positions and a state."""
