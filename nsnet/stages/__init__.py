"""The pipeline's stages: one verb, one module, one section of params.yaml each."""
