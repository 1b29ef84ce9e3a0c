"""Build programs into artifacts and open them: one file for each target, behind one small interface."""
