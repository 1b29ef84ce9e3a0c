"""Specs side by side: what is proved of each, what is counted, and what is measured."""
