"""The report: one page of tables, plots and pictures that needs nothing else."""
