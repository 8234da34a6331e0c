"""The nightly evaluation as plain functions; flows/nightly_eval.py gives them to Prefect."""
