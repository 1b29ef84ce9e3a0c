"""Layouts as they are written: what a checkpoint calls its tensors, and what each line stands for on our side.

Nothing here needs a checkpoint, or loads torch: `archspec check` reads all layouts of a spec.
"""
