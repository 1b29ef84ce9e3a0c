"""Architectures as text: specify, check, compile."""
