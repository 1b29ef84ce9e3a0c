"""Arrays in plain lists, under NumPy's names: what stands for NumPy in a browser, for which no registry has it.

Only what checks and pictures need is here, and anything else is refused with an error: other functions and kinds of
numbers, and writing to what is a view in NumPy and a copy here. Large arrays are slow, and integers have no bounds.
"""

# ruff: noqa: F401, F403 - all of this is for `import numpy as np` elsewhere.

from __future__ import annotations

from math import inf, nan, pi
from types import SimpleNamespace

from archspec.page.arrays.array import asarray, ndarray
from archspec.page.arrays.elementwise import *
from archspec.page.arrays.elementwise import abs_of as abs
from archspec.page.arrays.elementwise import divmod_of as divmod
from archspec.page.arrays.functions import *
from archspec.page.arrays.functions import any_of as any
from archspec.page.arrays.functions import max_of as max
from archspec.page.arrays.functions import prod_of as prod
from archspec.page.arrays.functions import sliding_window_view
from archspec.page.arrays.functions import sum_of as sum
from archspec.page.arrays.layout import together as broadcast_shapes
from archspec.page.arrays.products import einsum, matmul, ndindex, tensordot
from archspec.page.arrays.random import default_rng

bool_, int64, float64 = bool, int, float
random = SimpleNamespace(default_rng=default_rng)
lib = SimpleNamespace(stride_tricks=SimpleNamespace(sliding_window_view=sliding_window_view))
