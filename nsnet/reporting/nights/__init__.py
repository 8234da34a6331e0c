"""Nights that were published: their tables, append-only, a folder of Parquet each."""
