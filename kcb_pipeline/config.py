"""The rules a county sets for itself, typed, with their national or provincial defaults and sources.

They stand in `KCB_HOME/kcb.toml`; a county that writes nothing gets the defaults. Every field here but those of `NOT_RULES` is part of
`rules_digest`, so a version says by which rules it was made.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kcb_pipeline.errors import UsageError

Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=0, le=3660)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


def _size(text: str) -> str:
    if re.fullmatch(r"(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)? ?([KMGT]i?)?B", text, re.ASCII) is None:
        message = "a size like 6GB or 500MB is wanted"
        raise ValueError(message)
    return text


Size = Annotated[str, AfterValidator(_size)]


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SchoolAge(_Rules):
    """Who is of compulsory-education age (义务教育法 art. 11: six full years, seven where conditions lack)."""

    entry_age: Annotated[int, Field(ge=5, le=8)] = 6
    """full years by 31 August at the start of the school year; 7 where a county says so (Ganzi: 7)"""
    leaving_age: Annotated[int, Field(ge=14, le=18)] = 15
    """the greatest age on that day that still counts (Ganzi: 16)"""

    @model_validator(mode="after")
    def _in_order(self) -> SchoolAge:
        if self.leaving_age < self.entry_age:
            message = "leaving_age is below entry_age"
            raise ValueError(message)
        return self


class Period(_Rules):
    """Days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date

    @model_validator(mode="after")
    def _in_order(self) -> Period:
        if self.last < self.first:
            message = "last is before first"
            raise ValueError(message)
        return self


class Calendar(_Rules):
    """School days: Monday to Friday and make-up working days, less public holidays, inside terms, outside local breaks.

    Public holidays are known up to 2026 (`chinesecalendar`); those of later years count as school days unless they are given as breaks.
    """

    terms: tuple[Period, ...] = ()
    """where none are given every working day of the school year is one; a county's terms are set by its education bureau each year"""
    breaks: tuple[Period, ...] = ()
    """local breaks inside a term; a 虫草假 is none: schools may not give one (甘教体函〔2019〕155号)"""
    harvest_months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = (4, 5, 6, 7)
    """months in which pupils are watched for seasonal loss, in `seasonal_watch` (虫草、松茸 season: 甘教体函〔2019〕155号); empty for none"""
    harvest_days: Annotated[int, Field(ge=1, le=60)] = 5
    """school days missed in the season, but for illness, from which a pupil is on the watch list"""


class Attendance(_Rules):
    """When evidence says that a pupil does not attend."""

    absent_days: Annotated[int, Field(ge=1, le=60)] = 3
    """consecutive school days without reason (云政办规〔2022〕5号 art. 4; 南政办发〔2024〕6号 五(九))"""
    long_leave_days: Days = 30
    """days of one leave from which it is 长期请假 (安教函〔2025〕78号 一 names it and no number; a month, as for 辍学: domain.md §3.3)"""
    headcount_days: Days = 30
    """how old a headcount may be and still say that a child is missing"""
    abroad_days: Days = 30
    """how long after the last crossing outward a child without enrolment here has departed"""


class Cases(_Rules):
    """What follows from a case, and by when."""

    verify_within_days: Days = 30
    """疑似辍学 lasting over a month is due for confirmation, and stands in `confirmation_due` from then on (domain.md §3.3)"""
    persuade_within_days: Days = 30
    """by when a confirmed dropout is looked at again (一校一月一报告: 教基厅函〔2024〕15号)"""
    follow_up_days: Days = 90
    """for how long a child that has left a support programme is followed (出库人员跟踪评估: 璧山区五项行动出入库评估细则; a term)"""


Who = Literal["school", "township_of_hukou", "township_of_residence"]


class Responsible(_Rules):
    """Who brings a child back. Where the one named here is not known: the township of the 户籍, then that of residence."""

    suspected: Who = "school"
    """enrolled and not attending: the school looks first and reports (南政办发〔2024〕6号 五(九)); without a live record nobody's pupil"""
    unenrolled: Who = "township_of_residence"
    """in no school: the township where the child lives, by 户籍 and 居住证 (南政办发〔2024〕6号 五(八))"""
    dropout: Who = "township_of_hukou"
    """confirmed: the order to persuade goes to the township of the 户籍 (南政办发〔2024〕6号 五(十))"""


class Offices(_Rules):
    """Which office answers for a child of a support programme, by 程度 (璧山区“五项行动” 第三)."""

    minor: str = "片区教育管理中心"
    """较轻"""
    severe: str = "五项行动工作专班"
    """严重"""
    leading: dict[str, str] = {
        "控辍保学": "教育部门",
        "专门教育": "教育部门",
        "涉案帮教": "共青团（政法委统筹）",
        "失管关爱": "民政部门",
        "心理健康关爱": "卫生健康部门",
    }
    """较重: the leading department of each programme"""


class Targets(_Rules):
    """What an area is to reach, as a share of one (南政办发〔2024〕6号 二). Shown beside the indicator; nothing is decided by it."""

    primary_enrolment_rate: Share = 0.995
    """小学入学率"""
    retention_rate: Share = 0.985
    """九年义务教育巩固率"""
    junior_retention_rate: Share | None = None
    """初中三年巩固率: each place has its own (晋政罗〔2023〕175号)"""


class Matching(_Rules):
    """How doubt between two records is weighed."""

    false_link_cost: Annotated[float, Field(gt=0, le=100_000)] = 50.0
    """what a false link costs, in missed ones: it hides a child who is out of school, while a missed one is looked at by a person"""
    review_probability: Share = 0.05
    """a pair that is not linked is put before a person from this probability on"""
    model: Literal["estimated", "frozen"] = "estimated"
    """`estimated` anew every night, or `frozen`: the one of the version before, as long as the comparisons are the same"""
    weigh_settled: bool = True
    """whether a pair that a number and a name settle is yet compared in every respect, for whoever reads its weights; a province may save that"""


class Review(_Rules):
    """Clerical review of pairs (人工核对)."""

    answers_needed: Annotated[int, Field(ge=1, le=5)] = 2
    """how many reviewers have to agree before a pair is decided (双人核对)"""


class Gates(_Rules):
    """The limits of the gates. A limit that is wrong for a county is changed here, never in code."""

    quarantined_share: Share = 0.05
    """of a source's rows"""
    quarantined_rows: Annotated[int, Field(ge=0)] = 20
    """so many rows pass whatever their share, unless they are more than half: three bad rows of fifty are no bad extract"""
    quarantined_share_by_source: dict[str, Share] = {}
    """the same for a source by its name, instead of `quarantined_share`"""
    cell_issue_share: Share = 0.3
    """of a source's landed rows, with a cell that broke a rule; warns"""
    files_broken_off: Annotated[int, Field(ge=0)] = 0
    """of a source: files that may end in the middle of a row, without a line end, as a copy does that was cut short"""
    volume_loss: Share = 0.2
    """of a required source's landed rows, against the version before"""
    volume_loss_optional: Share = 0.9
    """the same of any other source that was sent, but for returned worklists"""
    match_rate_loss: Share = 0.05
    """how much the share of children of school age with a student record may fall from one version to the next"""
    least_match_rate: Share = 0.5
    """the share of children of school age with a student record below which the two registers may be of different counties"""
    review_share: Share = 0.1
    """of the children of school age, with a pair in doubt; warns"""
    model_drift: Annotated[float, Field(gt=0)] = 0.5
    """population stability index by which what a true pair looks like may move from one version to the next (0.25 is a large shift); warns"""
    eligible_loss: Share = 0.1
    """how many of the children of school age may be gone from one version to the next"""
    suspected_gain: Share = 0.05
    """of the eligible: how much the share of suspected and unenrolled children may rise from one version to the next"""
    small_number: Annotated[int, Field(ge=0)] = 20
    """so many children may change whatever share they are: in a township of a hundred, six are six families and no fault"""
    small_number_rows: Annotated[int, Field(ge=0)] = 5
    """so many rows of a source may go whatever share they are"""
    least_match_rate_from: Annotated[int, Field(ge=1)] = 100
    """children from which `least_match_rate` is asked for"""


class Storage(_Rules):
    """What a night may use of the machine."""

    memory_limit: Size = "6GB"
    """for each connection to a database; what does not fit is written to disk, which takes longer and is said of the stage"""
    spill_limit: Size = "100GB"
    """how much each connection may write there"""
    threads: Annotated[int, Field(ge=1, le=256)] = max(os.cpu_count() or 1, 1)
    """for each connection"""


class Retention(_Rules):
    """How long what holds identities is kept beside the ledgers (个人信息保护法 art. 19: no longer than needed). `kcb retention` shows what may go."""

    working_files_days: Days = 30
    """`work/DATE`: for looking into how a date came out"""
    extracts_days: Days = 400
    """`extracts/DATE`, once compared: a school year, within which any date can be run again"""
    papers_days: Days = 400
    """worklists and corrections in a version's folder; `kcb export` makes them again"""


class Orchestration(_Rules):
    """What starts a night, and by when it is expected. Dagster reads it when it loads the project: reload it after a change."""

    start: Literal["schedule", "arrival", "manual"] = "schedule"
    """`schedule`: every night at `nightly_at`; `arrival`: as soon as a date's extracts are complete; `manual`: only when somebody asks"""
    nightly_at: TimeOfDay = "02:30"
    """when the schedule starts the night of the day it is, Shanghai time"""
    settled_minutes: Annotated[float, Field(ge=0, le=1440)] = 10
    """how long the files of a date must have stayed as they are to count as complete, where no `SHA256SUMS` says so"""
    look_back_days: Annotated[int, Field(ge=0, le=366)] = 31
    """corrected extracts of so many days back start their date again by themselves; older ones are run by hand"""
    expected_by: TimeOfDay = "08:00"
    """by when the version of the day has to stand, Shanghai time; later it is late, and an alarm says so"""
    expected_on: tuple[Annotated[int, Field(ge=1, le=7)], ...] = (1, 2, 3, 4, 5, 6, 7)
    """on which days of the week (1 is Monday) extracts are expected; empty for none, which silences the alarm"""


class Spark(_Rules):
    """The cluster that a night runs on with `engine = "spark"` (docs/spark.md)."""

    master: str = ""
    """the cluster's address, `spark://HOST:7077`, `yarn`, `k8s://…`"""
    python: str = ""
    """the Python that the workers run, with this program installed; that of the driver where nothing is said"""
    settings: dict[str, str] = {}
    """further settings of Spark, by their names (`spark.executor.memory`)"""


class Disclosure(_Rules):
    """What may leave the office."""

    smallest_cell: Annotated[int, Field(ge=1, le=100)] = 5
    """counts below it are suppressed in anything for publication; in analytics.duckdb so many children at least share a description, and counts are rounded to a multiple of it (统计法 art. 25; domain.md §5)"""
    most_certain: Share = 0.5
    """the greatest share of children out of school in a group that a description fits: beyond it, belonging to the group says too much"""
    counts_computed_beside: Annotated[int, Field(ge=0)] = 0
    """small counts of the bulletin (通报) that its reader may be able to compute with that of the month before; beyond it, it is not given out"""
    lines_by_subtraction: Annotated[int, Field(ge=0)] | None = None
    """lines of the bulletin (townships, and the whole) of which the children of analytics.duckdb may leave but a few; beyond it analysts keep the file before. Not set: only said"""


NOT_RULES: Final = ("storage", "retention", "orchestration", "engine", "spark")
"""What changes no result: where, when and how fast a night runs, and how long its files are kept."""


class Config(_Rules):
    """All rules of a county."""

    school_age: SchoolAge = SchoolAge()
    calendar: Calendar = Calendar()
    attendance: Attendance = Attendance()
    cases: Cases = Cases()
    responsible: Responsible = Responsible()
    offices: Offices = Offices()
    targets: Targets = Targets()
    matching: Matching = Matching()
    review: Review = Review()
    gates: Gates = Gates()
    storage: Storage = Storage()
    retention: Retention = Retention()
    orchestration: Orchestration = Orchestration()
    disclosure: Disclosure = Disclosure()
    engine: Literal["duckdb", "spark"] = "duckdb"
    """`duckdb` on this machine, or `spark` on the cluster of `[spark]`; the result is the same"""
    spark: Spark = Spark()

    def digest(self, *others: str, without: frozenset[str] = frozenset()) -> str:
        """sha-256 over every rule but `NOT_RULES` and the sections `without`, and over `others`."""
        digest = hashlib.sha256(self.model_dump_json(exclude={*NOT_RULES, *without}).encode())
        for other in others:
            digest.update(b"\0" + other.encode())
        return digest.hexdigest()


def load_config(home: Path) -> Config:
    """The rules in `home/kcb.toml`, the defaults where there is none. UsageError names the setting that cannot be; nothing is made to fit."""
    path = home / "kcb.toml"
    if not path.is_file():
        if path.exists() or path.is_symlink():  # somebody meant to have rules
            raise UsageError(f"{path.name}: no file, or a link to none")
        return Config()
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin every file with a mark
        return Config.model_validate_json(json.dumps(written, default=str), strict=True)
    except UnicodeDecodeError:
        raise UsageError(f"{path.name}: no UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise UsageError(f"{path.name}: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path.name}: {where}: {first['msg']}") from None
