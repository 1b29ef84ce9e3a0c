"""Weights as integers with scales: which, how many bits, how they are rounded, and what that costs."""
