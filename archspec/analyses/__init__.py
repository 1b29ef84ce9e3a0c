"""Pure analyses: a graph in, a frozen result out."""
