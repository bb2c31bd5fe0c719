"""The county's home as a Dagster resource, and the partition an asset works on."""

import datetime as dt
import os
from pathlib import Path

import dagster as dg

from kcb_pipeline.home import Home
from kcb_pipeline.night import Night

HOME_VARIABLE = "KCB_HOME"


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """`KCB_HOME`: where the extracts come and the ledgers go."""

    folder: str

    def night(self, context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Night:
        """The night of the run's partition."""
        return Night(Home(Path(self.folder)), dt.date.fromisoformat(context.partition_key))


def home_from_environment() -> str:
    """`KCB_HOME`, `./data` where it is not set."""
    return str(Path(os.environ.get(HOME_VARIABLE, "data")).resolve())
