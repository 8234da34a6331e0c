"""Captions, the spectrum of their features, and the null space of the semantic directions."""
