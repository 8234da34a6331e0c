"""Detectors that move the backbone: LoRA, Effort, the null space that goes with them, the choice of the epoch."""
