"""The atoms of masks: one file each, named by its word, and nothing about an atom anywhere else."""
