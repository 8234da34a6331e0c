"""Detectors that move the backbone: low-rank adapters, the null space that goes with them, the choice of the epoch."""
