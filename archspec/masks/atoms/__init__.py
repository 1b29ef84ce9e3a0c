"""The atoms of masks: one file each, named by its word, with everything about the atom in it."""
