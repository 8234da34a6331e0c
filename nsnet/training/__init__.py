"""Fitting detectors and keeping what was trained."""
