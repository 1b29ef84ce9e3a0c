"""An architecture as a person would draw it: what is shown of a graph, where it stands, and its lines."""
