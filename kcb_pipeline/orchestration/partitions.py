"""Comparison dates as daily partitions, on the clock of the agencies."""

import dagster as dg

TIMEZONE = "Asia/Shanghai"
FIRST_DATE = "2024-09-01"
"""The first comparison date that can be run: the school year in which the national monthly report began (教基厅函〔2024〕15号)."""

comparison_dates = dg.DailyPartitionsDefinition(start_date=FIRST_DATE, timezone=TIMEZONE, end_offset=1)
"""`end_offset=1`: tonight's extracts are compared tonight, not tomorrow."""
