"""Views: the tree and diagram of an architecture, pictures of masks, relations and attention; the reference page."""
