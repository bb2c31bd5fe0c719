"""Dagster's storage in SQLite, closed to others: the instance is opened, and its files made, before any definition is loaded."""

from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from kcb_pipeline.permissions import owner_only


class OwnerOnlySqliteStorage(DagsterSqliteStorage):
    """Runs, events and schedules of an instance (`storage: custom:` in dagster.yaml); every process that opens it is closed to others."""

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, str]
    ) -> "OwnerOnlySqliteStorage":
        """The storage that dagster.yaml describes."""
        owner_only()
        return cls.from_local(config_value["base_dir"], inst_data)
