"""Where Dagster keeps runs, events and schedule ticks: SQLite in the home, or PostgreSQL by one setting.

`dagster.yaml` cannot choose by the environment, and its settings travel to child processes on their command line; so it names
this class, which chooses when it is made. The address of the server stays in the environment and the password in a file: neither is
in Dagster's configuration, on its configuration page, in a command line or in an error.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from sqlalchemy.dialects import plugins
from sqlalchemy.engine import URL, CreateEnginePlugin, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from kcb_pipeline.errors import KcbError, UsageError
from kcb_pipeline.permissions import owner_only

URL_VARIABLE = "KCB_DAGSTER_POSTGRES_URL"
"""The setting: `postgresql://user@host:port/database`. Not set: SQLite."""

PASSWORD_FILE_VARIABLE = "KCB_DAGSTER_POSTGRES_PASSWORD_FILE"  # noqa: S105
"""A file that holds the password and nothing else; where it is not set, libpq's own ways hold (`PGPASSFILE`, `~/.pgpass`, peer)."""


class InstanceStorage(DagsterStorage, ConfigurableClass):
    """Named in `dagster.yaml` as the storage; makes Dagster's own SQLite or PostgreSQL storage in its place."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Where SQLite's files go; PostgreSQL needs nothing here."""
        return {"base_dir": dg.StringSource}

    @classmethod
    def from_config_value(  # type: ignore[override]  # a class of Dagster's own in its place
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterStorage:
        """The storage that the environment asks for. UsageError where the address, its password or the driver is missing."""
        owner_only()  # the instance is opened, and its files made, before any definition is loaded
        url = postgres_url(os.environ)
        if url is None:
            return DagsterSqliteStorage.from_local(config_value["base_dir"], inst_data=inst_data)
        try:
            from dagster_postgres import DagsterPostgresStorage
        except ModuleNotFoundError:
            raise UsageError(
                f"{URL_VARIABLE} is set, but the PostgreSQL driver is not installed: requirements/postgres.lock, or kcb-pipeline[postgres]"
            ) from None
        return DagsterPostgresStorage(url, inst_data=inst_data)


def postgres_url(environment: Mapping[str, str]) -> str | None:
    """The address with the password of its file, for the driver alone; None where PostgreSQL is not asked for.

    Errors name the variable and never quote it: what is mistyped may hold a password.
    """
    written = environment.get(URL_VARIABLE, "").strip()
    if not written:
        return None
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):
        raise UsageError(f"{URL_VARIABLE} is no address like postgresql://user@host:5432/database") from None
    if url.drivername not in ("postgresql", "postgresql+psycopg2") or not url.database:
        raise UsageError(f"{URL_VARIABLE} is no address like postgresql://user@host:5432/database")
    file = environment.get(PASSWORD_FILE_VARIABLE, "").strip()
    if file:
        try:
            url = url.set(password=Path(file).read_text(encoding="utf-8").rstrip("\r\n"))
        except OSError as error:
            raise UsageError(f"{PASSWORD_FILE_VARIABLE}: {file} cannot be read ({error.strerror})") from None
    # Said out loud: SQLAlchemy 2.1 takes psycopg 3 for a plain `postgresql://`, dagster-postgres brings psycopg2.
    url = url.set(drivername="postgresql+psycopg2").update_query_dict({"plugin": _LIVE_CONNECTIONS})
    return url.render_as_string(hide_password=False)


_LIVE_CONNECTIONS = "kcb_live_connections"


class LiveConnections(CreateEnginePlugin):
    """Asks a kept connection whether it lives before it is used.

    Dagster's web server keeps one to each storage; without this the first clicks after a restart of the server fail, and a launch
    among them leaves a run that never starts.
    """

    def update_url(self, url: URL) -> URL:
        """Called by SQLAlchemy: the address without what named this plugin."""
        return url.difference_update_query(["plugin"])

    def handle_pool_kwargs(self, pool_cls: type[Any], pool_args: dict[str, Any]) -> None:
        """Called by SQLAlchemy when it makes an engine's pool."""
        pool_args["pre_ping"] = True


plugins.register(_LIVE_CONNECTIONS, __name__, LiveConnections.__name__)


@contextmanager
def reaching_the_server() -> Iterator[None]:
    """Says in one line that PostgreSQL does not answer, and what it said; dagster-postgres tries for some seconds and warns each time."""
    logger, level = logging.getLogger(), logging.getLogger().level
    logger.setLevel(logging.ERROR)
    try:
        yield
    except Exception as error:
        cause = error if isinstance(error, DBAPIError) else error.__cause__
        if not isinstance(cause, DBAPIError):
            raise
        said = " ".join(str(cause.orig).split())
        raise KcbError(f"Dagster's storage, the PostgreSQL server of {URL_VARIABLE}, does not answer: {said}") from None
    finally:
        logger.setLevel(level)
