"""Views: what a person looks at, computed from a spec and its graph.

The tree and the diagram show an architecture; pictures show masks, proved relations and attention weights of a trained
module; the reference page lists the language. Nothing here changes a graph or a verdict.
"""
