"""Wiring: the exact composition of what every op reads, at chosen small sizes and values of the controls.

Sets of positions are Python integers, one bit a position, and are followed from an output backwards.
"""
