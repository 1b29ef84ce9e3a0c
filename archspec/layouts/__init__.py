"""Layouts as they are written: the tensor names of a checkpoint, and the parameters that each line produces.

Nothing here needs a checkpoint or loads torch, so `archspec check` can read all layouts of a spec.
"""
