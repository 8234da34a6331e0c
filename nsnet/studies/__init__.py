"""Experiments that explain the lab and its CLIP; no stage needs them."""
