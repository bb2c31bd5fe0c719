"""Faults and load, by the hundred: `make soak` runs them all and writes docs/reliability.json; the suite runs a few."""
