"""The lab: simulated photographs and generators, and a small CLIP that knows them; no download, no GPU."""
