"""The only Dagster code in the library: resources, partitions, how assets tell their story, schedule, definitions."""
