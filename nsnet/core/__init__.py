"""What every package stands on: files, paths, tables, settings, errors. Imports nothing else of nsnet."""
