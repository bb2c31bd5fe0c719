"""Dagster assets, one module a stage: read the night of the partition, call the library, tell what happened."""
