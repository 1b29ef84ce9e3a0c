"""Wiring: the exact composition of what every op reads, at given small sizes and values of the controls.

Sets of positions are Python integers with one bit for each position; they are followed from an output backwards.
Wiring finds counterexamples and judges lower rules. It proves nothing for other sizes.
"""
