"""Features made by many: shards of a plan on an fsspec URL, encoded wherever one is taken, collected by one writer."""
