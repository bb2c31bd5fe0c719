"""`KCB_HOME`, the one folder the pipeline owns, and where everything in it is (published.md)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from kcb_pipeline.config import Config, load_config
from kcb_pipeline.engines.embedded import Limits
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.permissions import owner_only


@dataclass(frozen=True, slots=True)
class Home:
    """The folder and the paths of the contract inside it. Whoever has one writes for its owner only."""

    folder: Path

    def __post_init__(self) -> None:
        owner_only()

    @property
    def extracts(self) -> Path:
        """One folder a comparison date."""
        return self.folder / "extracts"

    @property
    def work(self) -> Path:
        """Working databases, one a comparison date."""
        return self.folder / "work"

    @property
    def published(self) -> Path:
        """What others read."""
        return self.folder / "published"

    @property
    def ledgers(self) -> Path:
        """The ledgers, all versions."""
        return self.published / "ledgers.duckdb"

    @property
    def analytics(self) -> Path:
        """The same ledgers de-identified, for analysts."""
        return self.published / "analytics.duckdb"

    @property
    def reviews(self) -> Path:
        """Clerical review: the rounds drawn, and what reviewers answered."""
        return self.folder / "reviews"

    @property
    def state(self) -> Path:
        """Dagster's runs and events."""
        return self.folder / "dagster"

    @property
    def erasures(self) -> Path:
        """The record of what retention has erased, a line each."""
        return self.folder / "erasures.jsonl"

    def version_folder(self, version: int) -> Path:
        """Report, worklists and manifest of one version."""
        return self.published / "versions" / f"{version:06d}"

    def shown(self, version: int) -> dict[str, str]:
        """Where the report and the data docs of a version are, below this folder; without those that could not be made."""
        folder = self.version_folder(version)
        pages = {"report": folder / "report.html", "data_docs": folder / "data_docs" / "index.html"}
        return {name: path.relative_to(self.folder).as_posix() for name, path in pages.items() if path.is_file()}

    def config(self) -> Config:
        """The county's rules."""
        return load_config(self.folder)

    def limits(self) -> Limits:
        """What a connection may use; what does not fit into memory goes to `work`."""
        storage = self.config().storage
        return Limits(
            memory=storage.memory_limit, spill=storage.spill_limit, threads=storage.threads, temporary=self.work
        )

    def workspace(self, comparison_date: dt.date) -> Workspace:
        """The working files of a date; the folder is made."""
        self.work.mkdir(parents=True, exist_ok=True)
        return Workspace(self.work, comparison_date, self.limits())
