"""The page: an editor with the checker beside it, in a browser or from the running Python."""
