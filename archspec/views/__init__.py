"""What people look at: the tree of an architecture."""
