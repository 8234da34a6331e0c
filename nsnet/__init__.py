"""nsnet: detectors of AI-generated images, trained, tested and compared as a reproducible pipeline."""
