"""Numbers for people: tables, plots, and the catalogue that answers SQL."""
