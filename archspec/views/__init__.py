"""What people look at: the tree of an architecture, its picture, masks, proofs and attention; the reference."""
