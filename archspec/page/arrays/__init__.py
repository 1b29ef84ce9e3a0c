"""Arrays in plain lists, under NumPy's names: what stands for NumPy in a browser, for which no registry has it.

Only what checks and pictures need is here. Slices are copies, all floats are float64, and large arrays are slow.
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

bool_, int64, int32, intp, float64, float32 = bool, int, int, int, float, float
random = SimpleNamespace(default_rng=default_rng)
lib = SimpleNamespace(stride_tricks=SimpleNamespace(sliding_window_view=sliding_window_view))
