"""Pure analyses: a graph in, a frozen result out; nothing is changed or cached."""
