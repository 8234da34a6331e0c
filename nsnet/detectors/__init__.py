"""Detectors by configuration: the parts of NS-Net, switched on or off. One file a kind."""
