"""The extracts of a made-up province, at any size: `python -m benchmarks.province FOLDER --children 10000000 --format csv`.

What belongs here: who lives there, what each agency says of them, and what is wrong in a small share of its cells and rows. FOLDER is
a home (`kcb run --home FOLDER`). The population is 1.2 rows a child, the registry 0.95 records a child, beside six optional sources;
some children are not of school age yet. The same arguments give the same bytes, county by county, and no county has to be in memory
with another: a province of ten million takes minutes and less than a gigabyte a core.

Names come from `benchmarks.name_stock`. No county here exists, and no ID number is anybody's: the codes were never assigned.
"""

from __future__ import annotations

import datetime as dt
import functools
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks import population as persons
from benchmarks.name_stock import CHILDREN, FEMALE, HAN, MALE, PARENTS, TIBETAN, UYGHUR, YI, stock
from benchmarks.population import Adults
from kcb_pipeline.sample.columns import SOURCES, Style

CHILDREN_OF_A_COUNTY: Final = 80_000
LEAST_COUNTIES: Final = 3
FEW_CHILDREN: Final = 30_000
"""Below so many, starting other processes takes longer than the work."""
TOWNSHIPS: Final = 16
PRIMARY_SCHOOLS: Final = 4
"""Of a township; each has one junior middle school, and each county one senior middle school."""
OTHERS: Final = 0.15
OLD_ROWS: Final = 0.05
"""Population rows for each child that are grown-ups, and that have been superseded: together with the children 1.2."""
NEWCOMERS: Final = 0.015
"""Children of families registered in another province: in the registry and among the residents."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often what happens; shares of children of school age, of rows, or of cells, as said."""

    left_only: float = 0.005  # children with nothing but a dead record: 10, 03, 06, 07 of grade 6
    deferred: float = 0.003  # 延缓入学 approved
    abroad: float = 0.001
    no_record: float = 0.003
    suspended: float = 0.0012  # 02; five in six with an approval
    older_records: float = 0.004  # records of the school before, of enrolled children
    schools_without_platform: float = 0.05
    not_counted: float = 0.0004  # pupils whom a headcount leaves out, or calls not present
    absent: float = 0.002  # pupils absent without reason to the last day
    ill: float = 0.02  # pupils with a day of illness
    poor: float = 0.1  # families
    without_number: float = 0.008  # children whose records have no ID number, and a J number for a student number
    id_damaged: float = 0.008  # records
    id_of_sibling: float = 0.002  # records
    id_ruined: float = 0.004  # records whose number a spreadsheet has ruined
    name_damaged: float = 0.015  # records
    birth_date_damaged: float = 0.006  # records
    sex_wrong: float = 0.002  # records
    moved: float = 0.06  # pupils at a school of another township
    guardians_missing: float = 0.08  # records
    population_id_damaged: float = 0.001  # rows
    former_name: float = 0.004  # rows
    untidy: float = 0.001  # cells of a kind: a blank inside an address, a small x, a number in full width
    bad_cells: float = 0.0001  # cells of a kind: an impossible date, an unknown code, a control character
    bad_rows: float = 0.00005  # rows of a kind: too many fields, no name, nobody, a copy of another row


RATES: Final = Rates()
SEED: Final = 20_261_118


@dataclass(frozen=True, slots=True)
class Province:
    """What is asked for. `encoding`: that of the police and of all others are `mixed`: GB18030 and UTF-8."""

    folder: Path
    children: int
    date: dt.date
    kind: str = "csv"
    encoding: str = "mixed"
    seed: int = SEED

    @property
    def counties(self) -> list[int]:
        """How many children each county has."""
        count = max(LEAST_COUNTIES, round(self.children / CHILDREN_OF_A_COUNTY))
        shares = np.exp(np.random.Generator(np.random.PCG64(self.seed)).normal(0, 0.4, count))
        ends = np.round(np.cumsum(shares) / shares.sum() * self.children).astype(int)
        return np.diff(ends, prepend=0).tolist()

    @property
    def extracts(self) -> Path:
        """The folder of the date."""
        return self.folder / "extracts" / str(self.date)

    @property
    def school_year(self) -> int:
        """The year in which the school year of the date began."""
        return self.date.year if self.date.month >= 9 else self.date.year - 1


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--children", type=click.IntRange(100), default=10_000_000, show_default=True)
@click.option("--format", "kind", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option("--encoding", type=click.Choice(["mixed", "utf-8", "gb18030"]), default="mixed", show_default=True)
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), default="2026-11-18", show_default=True)
@click.option("--seed", type=int, default=SEED, show_default=True)
def main(folder: Path, children: int, kind: str, encoding: str, date: dt.datetime, seed: int) -> None:
    """Write the extracts of a made-up province into FOLDER/extracts/DATE, replacing what is there."""
    write(Province(folder, children, date.date(), kind, encoding, seed))


def write(province: Province) -> None:
    """Write all extracts of a province, its counties on all cores."""
    shutil.rmtree(province.extracts, ignore_errors=True)
    parts = province.extracts / ".parts"
    parts.mkdir(parents=True)
    counties = range(len(province.counties))
    if province.children < FEW_CHILDREN:
        for place in counties:
            _write_county(province, place)
    else:
        # Polars has threads of its own, which a forked process would not have.
        with ProcessPoolExecutor(len(os.sched_getaffinity(0)), multiprocessing.get_context("spawn")) as pool:
            for _ in pool.map(_write_county, [province] * len(counties), counties):
                pass
    for source, layout in LAYOUTS.items():
        if layout.by_county or province.kind == "parquet":
            continue
        with (province.extracts / f"{layout.file}.csv").open("wb") as file:
            file.write(layout.header(source, province))
            for place in counties:
                file.write((parts / f"{source}-{place}").read_bytes())
    shutil.rmtree(parts)


def _write_county(province: Province, place: int) -> None:
    """The rows of one county: a file of its own of each source that comes so, a part of the province's of the others."""
    county = _County(province, place)
    for source, layout in LAYOUTS.items():
        frame = _WRITTEN_BY[source](county)
        if province.kind == "parquet":
            path = province.extracts / source / f"{county.code}.parquet"
            path.parent.mkdir(exist_ok=True)
            frame.select(pl.all().name.map(_header_names(source, "canonical").__getitem__)).write_parquet(path)
            continue
        # Every cell that has to be quoted is so already: what is not is a broken row on purpose.
        text = frame.write_csv(
            include_header=False, separator=layout.separator, line_terminator=layout.newline, quote_style="never"
        )
        data = text.encode(layout.encoding_in(province))
        if layout.by_county:
            path = province.extracts / layout.file / f"{county.code}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(layout.header(source, province) + data)
        else:
            (province.extracts / ".parts" / f"{source}-{place}").write_bytes(data)


# -- how each source arrives ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layout:
    """The habits of the office that sends a source. `police` writes GB18030 unless another encoding is asked for."""

    file: str
    style: Style
    police: bool
    by_county: bool = False
    separator: str = ","
    newline: str = "\n"
    mark: bool = False
    star: str = ""
    own_columns: tuple[str, ...] = ()

    def encoding_in(self, province: Province) -> str:
        """The encoding of the rows."""
        if province.encoding == "mixed":
            return "gb18030" if self.police else "utf-8"
        return province.encoding

    def header(self, source: str, province: Province) -> bytes:
        """The header line, behind the byte-order mark where the office writes one."""
        columns = [column.header(self.style) + (self.star if column.needed else "") for column in SOURCES[source]]
        encoding = self.encoding_in(province)
        line = self.separator.join([*columns, *self.own_columns]) + self.newline
        return line.encode("utf-8-sig" if self.mark and encoding == "utf-8" else encoding)


LAYOUTS: Final = {
    "population": Layout("population", "pinyin", police=True, by_county=True, newline="\r\n", own_columns=("PCSMC",)),
    "student_registry": Layout("学籍", "chinese", police=False, mark=True, star="★"),
    "in_school": Layout("in_school", "chinese", police=False, by_county=True, separator="|"),
    "absences": Layout("absences", "canonical", police=False),
    "residents": Layout("流动人口", "pinyin", police=True, separator="\t"),
    "poverty_register": Layout("脱贫户", "chinese", police=False),
    "exit_entry": Layout("出入境", "chinese", police=True),
    "approvals": Layout("approvals", "chinese", police=False),
}
"""The registry is one file of the whole province, the population one a county."""


@functools.cache
def _header_names(source: str, style: Style) -> dict[str, str]:
    own = {name: name for name in LAYOUTS[source].own_columns}
    return {column.name: column.header(style) for column in SOURCES[source]} | own


# -- places --------------------------------------------------------------------------------------------------------

_PROVINCE: Final = 53
_OUTSIDE: Final = 52
_FIRST_PREFECTURE: Final = 80  # none of the province's has so high a code
_HEADS: Final = "云苍澜石松柳青红沙新文双大龙白马麦竹泉盐花黑拖永阿落凤桃梅清安和平金银丰"
_TAILS: Final = "溪麓泉桥坪河箐岩坝寨昌塔树潭水山地园城井椒泥底新拉水鸣源岭川"
_VILLAGES: Final = tuple(f"{head}{tail}村" for head in "大小上下新" for tail in "河坪坝寨")


def _digits(numbers: NDArray[np.int64] | list[int]) -> pl.Series:
    return pl.Series(np.asarray(numbers)).cast(pl.String)


def _picked(words: list[str] | tuple[str, ...] | pl.Series, places: NDArray[np.generic]) -> pl.Series:
    """The word at each place."""
    return pl.Series("", words, dtype=pl.String).gather(places.astype(np.uint32))


_EPOCH: Final = dt.date(1970, 1, 1)


def _day(date: dt.date) -> int:
    """Days since 1970."""
    return (date - _EPOCH).days


_FIRST_DAY: Final = _day(dt.date(1930, 1, 1))


@functools.cache
def _days_written(form: str) -> pl.Series:
    """Every day from 1930 to 2035 in a form of `strftime`."""
    days = pl.Series([dt.date(1930, 1, 1) + dt.timedelta(days) for days in range(106 * 365)])
    return days.dt.strftime(form)


_COMPACT, _DASHED, _CHINESE, _SLASHED = "%Y%m%d", "%Y-%m-%d", "%Y年%-m月%-d日", "%Y/%-m/%-d"
_MONTH: Final = "%Y%m"


def _dates(days: NDArray[np.generic], form: str) -> pl.Series:
    """Days since 1970 as they are written."""
    return _picked(_days_written(form), days - _FIRST_DAY)


def _digits_of_days(days: NDArray[np.generic]) -> NDArray[np.int64]:
    """YYYYMMDD of days since 1970."""
    return _dates(days, _COMPACT).cast(pl.Int64).to_numpy()


# -- the people of a county ----------------------------------------------------------------------------------------

_ENROLLED, _SUSPENDED, _LEFT, _DEFERRED, _ABROAD, _NO_RECORD, _TOO_YOUNG = range(7)
"""What became of each child."""


class _County:
    """All families of one county: their children, fathers and mothers, and the newcomers behind them. Arrays of children or families."""

    def __init__(self, province: Province, place: int) -> None:
        self.province = province
        self.place = place
        self.chance = chance = np.random.Generator(np.random.PCG64([province.seed, place]))
        local = (_FIRST_PREFECTURE + place // 10) * 100 + 21 + place % 10
        self.code = _PROVINCE * 10_000 + local
        self.codes = np.array([self.code, _OUTSIDE * 10_000 + local])
        self.name = f"{_HEADS[place % len(_HEADS)]}{_TAILS[(place * 7 + place // len(_HEADS)) % len(_TAILS)]}县"
        count = province.counties[place]
        everybody = count + round(count * NEWCOMERS)
        self.first = persons.family_sizes(everybody, chance)
        sizes = np.diff(self.first)
        families = len(sizes)
        self.family = np.repeat(np.arange(families, dtype=np.int32), sizes)
        self.is_new = np.arange(families) >= np.searchsorted(self.first, count)
        self._bear_children(sizes, everybody)
        self._find_parents(families)
        self._settle(families)
        self._decide()

    def _bear_children(self, sizes: NDArray[np.int64], everybody: int) -> None:
        chance, year = self.chance, self.province.school_year
        order = (np.arange(everybody) - self.first[:-1][self.family]).astype(np.int8)
        self.order = order
        self.sex = (chance.random(everybody, dtype=np.float32) < 0.47).astype(np.int8)
        second = np.flatnonzero(order == 1)
        self.twins = second[chance.random(len(second)) < 0.02]
        alike = chance.random(len(self.twins)) < 0.65
        self.sex[self.twins] = np.where(alike, self.sex[self.twins - 1], 1 - self.sex[self.twins - 1])
        self.born_from, self.born_to = _day(dt.date(year - 16, 9, 1)), _day(dt.date(year - 6, 8, 31))
        youngest = self.born_to + (self.born_to - self.born_from) // 11  # some are too young for school
        self.day = persons.birth_days(
            self.family, self.first, order, self.twins, chance, self.born_from, min(youngest, _day(self.province.date))
        )

    def _find_parents(self, families: int) -> None:
        chance, names = self.chance, stock()
        self.people = np.zeros(families, dtype=np.int8)
        kin = {3: YI, 5: YI, 7: TIBETAN, 9: UYGHUR}.get(self.place % 10, HAN)
        self.people[chance.random(families) < 0.35] = kin
        oldest = self.day[self.first[:-1]]
        away = self.is_new | (chance.random(families) < 0.07)
        station = chance.integers(0, 10, families, dtype=np.int8)
        counties = [away[self.family]]
        stations, days, sexes, given = [station[self.family]], [self.day], [self.sex], []
        none = np.zeros(families, dtype=np.uint16)
        for sex, older in ((MALE, (8000, 13500)), (FEMALE, (7400, 12500))):
            gender = np.full(families, sex, dtype=np.int8)
            given.append(names.names(self.people, gender, PARENTS, none, none, chance))
            counties.append(np.where(chance.random(families) < 0.8, away, ~away))
            stations.append(chance.integers(0, 10, families, dtype=np.int8))
            days.append((oldest - chance.integers(*older, families)).astype(np.int32))
            sexes.append(gender)
        numbers = persons.give_numbers(
            np.concatenate(counties).astype(np.int16),
            np.concatenate(stations),
            np.concatenate(days),
            np.concatenate(sexes),
            self.codes,
        )
        self.number, fathers, mothers = np.split(numbers, np.cumsum([len(self.family), families]))
        self.parent_day = days[1:]
        self.father, self.mother = (
            Adults(name, number, persons.draw_phones(families, chance))
            for name, number in zip(given, (fathers, mothers), strict=True)
        )
        self.child_name = persons.children_names(
            names, self.people, self.family, self.first, self.order, self.sex, self.twins, self.father, self.mother,
            persons.RATES, chance,
        )  # fmt: skip

    def _settle(self, families: int) -> None:
        chance = self.chance
        names: list[str] = []
        for nth in range(TOWNSHIPS):
            head = _HEADS[(self.place * 5 + nth * 3) % len(_HEADS)]
            tail = _TAILS[(self.place * 3 + nth * 11) % len(_TAILS)]
            names.append(head + tail + ("街道" if nth == 0 else "镇" if nth < 8 else "乡"))
        self.township_names = names
        levels = [nth if nth == 0 else (100 if nth < 8 else 200) + nth for nth in range(TOWNSHIPS)]
        self.township_codes = np.array([self.code * 1000 + level for level in levels])
        self.township = np.minimum((chance.random(families) ** 1.3 * TOWNSHIPS).astype(np.int64), TOWNSHIPS - 1)
        self.village = chance.integers(0, len(_VILLAGES), families)
        self.group = chance.integers(1, 13, families)
        self.door = chance.integers(1, 200, families)
        self.poor = chance.random(families) < RATES.poor
        lot = chance.random(len(self.day))
        written = _digits_of_days(self.day) * 1000 + np.arange(len(self.day)) % 1000
        self.makeshift = np.where(lot < RATES.without_number, self.code * 10**11 + written, 0)
        self.household = self.code * 10**8 + np.arange(1, families + 1) * 3

    def _decide(self) -> None:
        """What became of each child, and at which school of which grade it is."""
        chance = self.chance
        self.age = ((self.born_to - self.day) // 365.25).astype(np.int64) + 6
        lot = chance.random(len(self.day))
        bounds = np.cumsum([RATES.suspended, RATES.left_only, RATES.deferred, RATES.abroad, RATES.no_record])
        fates = np.array([_SUSPENDED, _LEFT, _DEFERRED, _ABROAD, _NO_RECORD, _ENROLLED])
        self.fate = fates[np.searchsorted(bounds, lot, side="right")]
        # What is deferred is the entry: the same share of all children, of those who would enter.
        self.fate[self.fate == _DEFERRED] = _ENROLLED
        entering = np.flatnonzero((self.age <= 7) & (self.fate == _ENROLLED))
        self.fate[entering[chance.random(len(entering)) < 5 * RATES.deferred]] = _DEFERRED
        self.fate[self.is_new[self.family]] = _ENROLLED
        self.fate[(self.day > self.born_to) | (self.day < self.born_from)] = _TOO_YOUNG
        grade = self.age - 5
        self.grade = np.where(
            (grade >= 10) & (chance.random(len(grade)) < 0.85), 9, np.clip(grade, 1, 10)
        )  # one in seven of the fifteen is in senior middle school
        self.school = self.schools_of(self.township[self.family], self.grade)
        moved = np.flatnonzero(chance.random(len(self.school)) < RATES.moved)
        self.school[moved] = self.schools_of(chance.integers(0, TOWNSHIPS, len(moved)), self.grade[moved])

    def schools_of(self, township: NDArray[np.int64], grade: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of a school of the county: each township's primary schools, its junior middle school, the county's senior one."""
        each = PRIMARY_SCHOOLS + 1
        primary = self.chance.integers(0, PRIMARY_SCHOOLS, len(township))
        school = township * each + np.where(grade <= 6, primary, PRIMARY_SCHOOLS)
        return np.where(grade >= 10, TOWNSHIPS * each, school)

    # -- what several sources share

    @functools.cached_property
    def records(self) -> pl.DataFrame:
        """The rows of the registry before they are texts."""
        return _records(self)

    def student_numbers(self, child: NDArray[np.int64]) -> pl.Series:
        """G and the ID number; J and a number that imitates one for those who had none to show."""
        makeshift = self.makeshift[child]
        places = np.empty((len(child), 19), dtype=np.uint8)
        places[:, 0] = np.where(makeshift > 0, ord("J"), ord("G"))
        places[:, 1:] = persons.id_places(np.where(makeshift > 0, makeshift, self.number[child]))
        return persons.texts(places)

    @functools.cached_property
    def school_codes(self) -> pl.Series:
        """By the number of a school."""
        each = PRIMARY_SCHOOLS + 1
        numbers = np.arange(TOWNSHIPS * each + 1)
        kind = np.where(numbers % each < PRIMARY_SCHOOLS, 2, 3)
        kind[-1] = 4
        return _digits((kind * 10 + 1) * 10**8 + _PROVINCE * 10**6 + self.place * 1000 + numbers)

    @functools.cached_property
    def school_names(self) -> list[str]:
        """By the number of a school."""
        primary = ["中心小学", "第二小学", "希望小学", "民族小学"]
        names = [town + what for town in self.township_names for what in (*primary, "初级中学")]
        return [*names, f"{self.name}第一中学"]

    @functools.cached_property
    def reports(self) -> NDArray[np.bool_]:
        """Which schools have an attendance platform."""
        numbers = np.arange(len(self.school_names))
        every = round(1 / RATES.schools_without_platform)
        return (numbers + self.place) % every != 0

    def addresses(self, family: NDArray[np.int32]) -> pl.Series:
        """Where families live; one in a thousand with a blank in it, one in five thousand with a comma."""
        parts = pl.DataFrame(
            {
                "town": _picked(self.township_names, self.township[family]),
                "village": _picked(_VILLAGES, self.village[family]),
                "group": self.group[family],
                "door": self.door[family],
                "lot": self.chance.random(len(family), dtype=np.float32),
            }
        )
        plain = pl.format("{}{}{}组{}号", "town", "village", "group", "door")
        mark = '"' if self.province.kind == "csv" else ""
        return parts.select(
            pl.when(pl.col("lot") < RATES.untidy)
            .then(pl.format("{}{} {}组{}号", "town", "village", "group", "door"))
            .when(pl.col("lot") < RATES.untidy + RATES.bad_cells)
            .then(pl.format("{}\u200b{}{}组{}号", "town", "village", "group", "door"))
            .when(pl.col("lot") < RATES.untidy + 3 * RATES.bad_cells)
            .then(pl.format(f"{mark}{{}}{{}},{{}}组{{}}号{mark}", "town", "village", "group", "door"))
            .otherwise(plain)
            .alias("address")
        )["address"]

    def ids(self, numbers: NDArray[np.int64], damaged: float) -> pl.Series:
        """ID numbers as they are typed: a share is damaged, a few are written with a small x or in full width."""
        places = persons.id_places(numbers)
        lengths = np.where(numbers > 0, 18, 0).astype(np.int64)
        kinds = np.zeros(len(numbers), dtype=np.int8)
        hit = np.flatnonzero((numbers > 0) & (self.chance.random(len(numbers), dtype=np.float32) < damaged))
        kinds[hit] = self.chance.integers(persons.DIGIT, persons.FIFTEEN + 1, len(hit))
        persons.damage_ids(places, lengths, kinds, self.chance)
        typed = pl.DataFrame(
            {"id": persons.texts(places, lengths), "lot": self.chance.random(len(numbers), dtype=np.float32)}
        )
        rare = typed.with_row_index().filter(pl.col("lot") < 2 * RATES.untidy)
        written = [
            text if text is None else text.lower() if lot < RATES.untidy else f"'{text[:6]} {text[6:].translate(_FULL)}"
            for text, lot in zip(rare["id"], rare["lot"], strict=True)
        ]
        return typed["id"].scatter(rare["index"], pl.Series(written, dtype=pl.String))

    def bad_cells(self, texts: pl.Series, bad: str) -> pl.Series:
        """The texts, with a few replaced by one that breaks a rule."""
        hit = np.flatnonzero(self.chance.random(len(texts), dtype=np.float32) < RATES.bad_cells)
        return texts.scatter(hit, bad) if len(hit) else texts

    def bad_rows(self, source: str, frame: pl.DataFrame, broken: str, nobody: tuple[str, ...]) -> pl.DataFrame:
        """The rows, with a few that are no record (a separator too many in `broken`), have no name, are nobody, or stand twice."""
        lot = self.chance.random(frame.height, dtype=np.float32)
        separator = LAYOUTS[source].separator if self.province.kind == "csv" else ""
        few = RATES.bad_rows
        kind = np.digitize(lot, [few, 2 * few, 3 * few, 4 * few])
        marked = frame.with_columns(pl.Series("kind", kind))
        marked = marked.with_columns(
            pl.when(pl.col("kind") == 0).then(pl.lit(f"{separator}废")).otherwise(broken).alias(broken),
            pl.when(pl.col("kind") != 1).then("name").alias("name"),
            *(pl.when(pl.col("kind") != 2).then(name).alias(name) for name in nobody),
        )
        copies = marked.filter(pl.col("kind") == 3)
        return pl.concat([marked, copies]).select(frame.columns)


_FULL: Final = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


# -- what each agency says -----------------------------------------------------------------------------------------

_ETHNICITY: Final = {HAN: "01", TIBETAN: "04", UYGHUR: "05", YI: "07"}
_ETHNICITY_NAMES: Final = {HAN: "汉族", TIBETAN: "藏族", UYGHUR: "维吾尔族", YI: "彝族"}


def _population(county: _County) -> pl.DataFrame:
    """常住人口: the children of the county, some grown-ups, and rows that have been superseded."""
    chance, names = county.chance, stock()
    children = np.flatnonzero(~county.is_new[county.family])
    families = int(np.count_nonzero(~county.is_new))
    fathers = np.sort(chance.choice(families, round(OTHERS * len(children)), replace=False)).astype(np.int32)
    old = np.sort(chance.choice(children, round(OLD_ROWS * len(children)), replace=False))
    child = np.concatenate([children, np.full(len(fathers), -1), old])
    family = np.concatenate([county.family[children], fathers, county.family[old]])
    is_child = child >= 0
    is_old = np.arange(len(child)) >= len(children) + len(fathers)
    order = np.lexsort((is_old, is_child, family))  # household by household, its head first
    child, family, is_child, is_old = child[order], family[order], is_child[order], is_old[order]
    sex = np.where(is_child, county.sex[child], MALE)
    day = np.where(is_child, county.day[child], county.parent_day[0][family])
    name = np.where(is_child[:, None], county.child_name[child], county.father.name[family])
    number = np.where(is_child, county.number[child], county.father.number[family])
    former = np.zeros_like(name)
    renamed = np.flatnonzero(is_child & (chance.random(len(child)) < RATES.former_name))
    former[renamed] = names.names(
        county.people[family[renamed]],
        sex[renamed].astype(np.int8),
        CHILDREN,
        name[renamed, 0],
        name[renamed, 2],
        chance,
    )
    hers = chance.random(len(county.is_new)) < 0.5
    guardian = Adults(
        np.where(hers[:, None], county.mother.name, county.father.name),
        np.where(hers, county.mother.number, county.father.number),
        np.where(hers, county.mother.phone, county.father.phone),
    )

    def of_child(texts: pl.Series) -> pl.Series:
        return pl.DataFrame({"text": texts, "is": is_child}).select(pl.when("is").then("text"))["text"]

    moved_out = is_old & (chance.random(len(child)) < 0.3)
    town = county.township[family]
    updated = _day(county.province.date) - chance.integers(1, 2000, len(child))
    updated[is_old] -= 2100
    head = persons.name_texts(names, county.father.name)
    town_codes = county.township_codes[town]
    frame = pl.DataFrame(
        {
            "id_number": county.ids(number, RATES.population_id_damaged),
            "name": persons.name_texts(names, name),
            "former_name": persons.name_texts(names, former),
            "sex": county.bad_cells(_picked(["1", "2"], sex), "5"),
            "birth_date": county.bad_cells(_dates(day, _COMPACT), "20150230"),
            "ethnicity": _picked([_ETHNICITY[kin] for kin in range(4)], county.people[family]),
            "household_id": _digits(county.household[family]),
            "relation_to_head": _picked(["20", "30", "02"], np.where(is_child, sex, 2)),
            "head_name": head.gather(family.astype(np.uint32)),
            "division_code": _picked([str(county.code)], np.zeros(len(child))),
            "township_code": _digits(town_codes),
            "township_name": _picked(county.township_names, town),
            "village_code": _digits(town_codes * 1000 + 200 + county.village[family]),
            "address": county.addresses(family),
            "father_name": of_child(head.gather(family.astype(np.uint32))),
            "father_id_number": of_child(persons.id_texts(county.father.number[family])),
            "mother_name": of_child(persons.name_texts(names, county.mother.name[family])),
            "mother_id_number": of_child(persons.id_texts(county.mother.number[family])),
            "guardian_name": of_child(persons.name_texts(names, guardian.name[family])),
            "guardian_id_number": of_child(persons.id_texts(guardian.number[family])),
            "guardian_phone": of_child(persons.phone_texts(guardian.phone[family])),
            "person_state": _picked(["0", "2"], moved_out),
            "record_flag": _picked(["1", "0"], is_old & ~moved_out),
            "reversal_flag": _picked(["0"], np.zeros(len(child))),
            "moved_out_on": _dates(np.where(moved_out, updated, day), _COMPACT).set(~pl.Series(moved_out), None),
            "died_on": pl.Series([None] * len(child), dtype=pl.String),
            "updated_at": _dates(updated, _COMPACT),
            "PCSMC": _picked([f"{town}派出所" for town in county.township_names], town),
        }
    )
    return county.bad_rows("population", frame, "address", ("id_number", "birth_date"))


def _records(county: _County) -> pl.DataFrame:
    """The rows of the registry before they are texts: the child, its status, the day that changed, school and grade."""
    chance = county.chance
    today = _day(county.province.date)
    suspended = county.fate == _SUSPENDED
    live = np.flatnonzero((county.fate == _ENROLLED) | suspended)
    left = np.flatnonzero(county.fate == _LEFT)
    older = live[(chance.random(len(live)) < RATES.older_records) & ~suspended[live]]
    child = np.concatenate([live, left, older])
    status = np.concatenate(
        [
            np.where(suspended[live], "02", "01"),
            np.where(
                (county.grade[left] >= 7) & (chance.random(len(left)) < 0.3),
                "07",
                chance.choice(["10", "10", "03", "06"], len(left)),
            ),
            np.full(len(older), "10"),
        ]
    )
    is_live = np.arange(len(child)) < len(live)
    changed = np.where(is_live & ~suspended[child], -1, today - chance.integers(20, 300, len(child)))
    grade = np.where(status == "07", 6, county.grade[child])
    school = county.school[child].copy()
    elsewhere = (~is_live) & (status != "07")
    school[elsewhere] = county.schools_of(chance.integers(0, TOWNSHIPS, int(elsewhere.sum())), grade[elsewhere])
    rows = pl.DataFrame(
        {"child": child, "status": status, "changed": changed, "grade": grade, "school": school, "is_live": is_live}
    )
    return rows.sort("school", "grade", "child", "status")  # school by school, as they are exported


_STATUS_NAMES: Final = {"01": "在读", "02": "休学", "03": "退学", "06": "流失", "07": "毕业", "10": "转出"}
_GRADES: Final = ("一年级", "二年级", "三年级", "四年级", "五年级", "六年级", "七年级", "八年级", "九年级", "高一")
_GRADES_TOO: Final = tuple(str(grade) for grade in range(1, 11))


def _student_registry(county: _County) -> pl.DataFrame:
    """学籍: live and dead records as each school's office writes them."""
    chance, names = county.chance, stock()
    rows = county.records
    child, school, grade = (rows[name].to_numpy() for name in ("child", "school", "grade"))
    count, family = len(child), county.family[child]
    name = county.child_name[child].copy()
    wrong = np.where(chance.random(count) < RATES.name_damaged, chance.integers(1, 5, count), 0).astype(np.int8)
    persons.misspell(names, name, wrong, county.people[family], chance)
    sex = np.where(chance.random(count) < RATES.sex_wrong, 1 - county.sex[child], county.sex[child])
    wrong = np.where(chance.random(count) < RATES.birth_date_damaged, chance.integers(1, 5, count), 0).astype(np.int8)
    day = persons.damaged_days(county.day[child], wrong, chance)
    own = county.number[child]
    makeshift = county.makeshift[child] > 0
    number = np.where(makeshift, 0, own)
    sizes = np.diff(county.first)[family]
    swapped = ~makeshift & (sizes > 1) & (chance.random(count) < RATES.id_of_sibling)
    sibling = county.first[family] + (child - county.first[family] + 1) % sizes
    number = np.where(swapped, county.number[sibling], number)
    written = county.ids(number, RATES.id_damaged)
    ruined = np.flatnonzero((number > 0) & (chance.random(count) < RATES.id_ruined))
    spoiled = [f"{head[0]}.{head[1:]}E+17" for head in written.gather(ruined).str.slice(0, 6)]
    written = written.scatter(ruined, pl.Series(spoiled, dtype=pl.String))
    style = (school + county.place) % 4
    date_forms = (_COMPACT, _DASHED, _SLASHED, _CHINESE)

    def by_style(texts: list[pl.Series]) -> pl.Series:
        chosen = pl.DataFrame({str(nth): text for nth, text in enumerate(texts)} | {"style": style % len(texts)})
        return chosen.select(
            pl.coalesce(pl.when(pl.col("style") == nth).then(str(nth)) for nth in range(len(texts)))
        ).to_series()

    changed = rows["changed"].to_numpy()
    status_date = by_style([_dates(np.maximum(changed, 0), form) for form in date_forms]).set(
        pl.Series(changed < 0), None
    )
    first = chance.random(count) < 0.6
    guardians: dict[str, pl.Series] = {}
    missing = chance.random(count) < RATES.guardians_missing
    for slot, fathers in ((1, first), (2, ~first)):
        none = missing | ((slot == 2) & (chance.random(count) < 0.2))
        guardian = np.where(fathers[:, None], county.father.name[family], county.mother.name[family])
        numbers = np.where(fathers, county.father.number[family], county.mother.number[family])
        phones = np.where(fathers, county.father.phone[family], county.mother.phone[family])
        guardian[none], numbers[none], phones[none] = 0, 0, 0
        guardians |= {
            f"guardian{slot}_name": persons.name_texts(names, guardian),
            f"guardian{slot}_relation": _picked(["母亲", "父亲"], fathers).set(pl.Series(none), None),
            f"guardian{slot}_id_number": persons.id_texts(numbers),
            f"guardian{slot}_phone": persons.phone_texts(phones),
        }
    years = county.province.school_year - (np.where(grade > 9, grade - 9, np.where(grade > 6, grade - 6, grade)) - 1)
    nothing = pl.Series([None] * count, dtype=pl.String)
    home = np.where(county.is_new, county.codes[1], county.code)
    frame = pl.DataFrame(
        {
            "student_number": county.student_numbers(child),
            "name": persons.name_texts(names, name),
            "former_name": nothing,
            "sex": county.bad_cells(_picked(["男", "女"], sex), "3"),
            "birth_date": county.bad_cells(by_style([_dates(day, form) for form in date_forms]), "2015年2月30日"),
            "ethnicity": _picked([_ETHNICITY_NAMES[kin] for kin in range(4)], county.people[family]),
            "id_type": _picked(["居民身份证", "其他"], makeshift),
            "id_number": written,
            "school_code": county.school_codes.gather(school.astype(np.uint32)),
            "school_name": _picked(county.school_names, school),
            "school_division_code": _picked([str(county.code)], np.zeros(count)),
            "grade": by_style([_picked(_GRADES, grade - 1), _picked(_GRADES_TOO, grade - 1)]),
            "class_name": _digits(chance.integers(1, 9, count)),
            "enrolled_month": _digits(years * 100 + 9),
            "attendance_mode": _picked(["走读", "住校"], (grade > 6) & (chance.random(count) < 0.6)),
            "registry_status": rows["status"].replace_strict(_STATUS_NAMES),
            "status_date": status_date,
            "household_division_code": _digits(home[family]),
            "address": county.addresses(family),
            "left_behind": _picked(["非留守", "单亲留守", "双亲留守"], chance.choice(3, count, p=[0.8, 0.12, 0.08])),
            "migrant": _picked(["否", "是"], county.is_new[family]),
            "disability_type": nothing,
            "inclusive_education": nothing,
            "special_placement": nothing,
            **guardians,
        }
    )
    return county.bad_rows("student_registry", frame, "class_name", ("id_number", "birth_date", "student_number"))


def _in_school(county: _County) -> pl.DataFrame:
    """在校学生: the last headcount of every school that has a platform."""
    chance = county.chance
    rows = county.records.filter(pl.col("is_live") & (pl.col("status") == "01"))
    rows = rows.filter(pl.Series(county.reports).gather(rows["school"]))
    lot = chance.random(rows.height)
    rows = rows.with_columns(pl.Series("lot", lot)).filter(pl.col("lot") >= RATES.not_counted / 2)
    child, school = rows["child"].to_numpy(), rows["school"].to_numpy()
    counted = _day(county.province.date) - 5 - (school * 7 + county.place) % 4
    return pl.DataFrame(
        {
            "student_number": county.student_numbers(child),
            "name": persons.name_texts(stock(), county.child_name[child]),
            "school_code": county.school_codes.gather(school.astype(np.uint32)),
            "counted_on": _dates(counted, _COMPACT),
            "present": rows.select(
                pl.when(pl.col("lot") < RATES.not_counted).then(pl.lit("否")).otherwise(pl.lit("是")).alias("present")
            )["present"],
        }
    )


def _absences(county: _County) -> pl.DataFrame:
    """缺勤: the last three working days of those who stay away, a day of those who were ill."""
    chance = county.chance
    rows = county.records.filter(pl.col("is_live") & (pl.col("status") == "01"))
    rows = rows.filter(pl.Series(county.reports).gather(rows["school"]))
    last = county.province.date
    working = [last - dt.timedelta(back) for back in range(14) if (last - dt.timedelta(back)).weekday() < 5]
    away = np.flatnonzero(chance.random(rows.height) < RATES.absent)
    ill = np.flatnonzero(chance.random(rows.height) < RATES.ill)
    row = np.concatenate([np.repeat(away, 3), ill])
    days = np.concatenate([np.tile(np.arange(3), len(away)), chance.integers(0, len(working), len(ill))])
    kind = np.concatenate([np.zeros(3 * len(away)), chance.integers(1, 3, len(ill))])
    order = np.lexsort((days, row))
    child, school = (rows[name].to_numpy()[row[order]] for name in ("child", "school"))
    nothing = pl.Series([None] * len(row), dtype=pl.String)
    return pl.DataFrame(
        {
            "student_number": county.student_numbers(child),
            "school_code": county.school_codes.gather(school.astype(np.uint32)),
            "absent_on": _picked([str(day) for day in working], days[order]),
            "kind": _picked(["无故", "病假", "事假"], kind[order]),
            "leave_from": nothing,
            "leave_to": nothing,
        }
    )


def _residents(county: _County) -> pl.DataFrame:
    """流动人口: the families from elsewhere, children and one grown-up."""
    chance, names = county.chance, stock()
    children = np.flatnonzero(county.is_new[county.family])
    families = np.flatnonzero(county.is_new)
    child = np.concatenate([children, np.full(len(families), -1)])
    family = np.concatenate([county.family[children], families])
    is_child = child >= 0
    town = county.township[family]
    number = np.where(is_child, county.number[child], county.mother.number[family])
    name = np.where(is_child[:, None], county.child_name[child], county.mother.name[family])
    expired = chance.random(len(child)) < 0.1
    arrived = _day(county.province.date) - chance.integers(30, 2000, len(child))
    frame = pl.DataFrame(
        {
            "id_number": county.ids(number, RATES.population_id_damaged),
            "name": persons.name_texts(names, name),
            "sex": _picked(["男", "女"], np.where(is_child, county.sex[child], FEMALE)),
            "birth_date": _dates(np.where(is_child, county.day[child], county.parent_day[1][family]), _SLASHED),
            "ethnicity": _picked([_ETHNICITY[kin] for kin in range(4)], county.people[family]),
            "household_division_code": _picked([str(county.codes[1])], np.zeros(len(child))),
            "division_code": _picked([str(county.code)], np.zeros(len(child))),
            "township_code": _digits(county.township_codes[town]),
            "township_name": _picked(county.township_names, town),
            "address": county.addresses(family),
            "permit_number": _digits(county.code * 10**9 + np.arange(len(child))),
            "arrived_on": _dates(arrived, _SLASHED),
            "cancelled_on": _dates(arrived + 20, _SLASHED).set(pl.Series(~expired), None),
            "permit_state": _picked(["有效", "失效"], expired),
            "guardian_name": persons.name_texts(names, county.mother.name[family]),
            "guardian_phone": persons.phone_texts(county.mother.phone[family]),
        }
    )
    return county.bad_rows("residents", frame, "address", ("id_number", "birth_date"))


def _poverty_register(county: _County) -> pl.DataFrame:
    """脱贫户: the children of poor households and their fathers."""
    children = np.flatnonzero((county.poor & ~county.is_new)[county.family])
    families = np.flatnonzero(county.poor & ~county.is_new)
    child = np.concatenate([children, np.full(len(families), -1)])
    family = np.concatenate([county.family[children], families])
    order = np.lexsort((child, family))
    child, family = child[order], family[order]
    is_child = child >= 0
    in_school = np.where(county.fate[child] <= _SUSPENDED, np.where(county.grade[child] <= 6, 1, 2), 3)
    frame = pl.DataFrame(
        {
            "id_number": county.ids(
                np.where(is_child, county.number[child], county.father.number[family]), RATES.population_id_damaged
            ),
            "name": persons.name_texts(
                stock(), np.where(is_child[:, None], county.child_name[child], county.father.name[family])
            ),
            "household_id": _digits(county.household[family]),
            "household_kind": _picked(["脱贫户", "监测户", "低保", "特困"], county.household[family] // 3 % 4),
            "in_school_state": _picked(["", "小学", "初中", "非在校生"], np.where(is_child, in_school, 0)),
            "out_of_school_reason": pl.Series([None] * len(child), dtype=pl.String),
        }
    )
    return county.bad_rows("poverty_register", frame, "in_school_state", ("id_number",))


def _exit_entry(county: _County) -> pl.DataFrame:
    """出入境: children who have left, and grown-ups who come and go."""
    chance, names = county.chance, stock()
    gone = np.flatnonzero(county.fate == _ABROAD)
    travelling = np.flatnonzero(chance.random(len(county.is_new)) < 0.01)
    child = np.concatenate([gone, np.full(len(travelling), -1)])
    family = np.concatenate([county.family[gone], travelling])
    is_child = child >= 0
    number = np.where(is_child, county.number[child], county.father.number[family])
    crossed = _day(county.province.date) - chance.integers(40, 300, len(child))
    return pl.DataFrame(
        {
            "name": persons.name_texts(
                names, np.where(is_child[:, None], county.child_name[child], county.father.name[family])
            ),
            "sex": _picked(["男", "女"], np.where(is_child, county.sex[child], MALE)),
            "birth_date": _dates(np.where(is_child, county.day[child], county.parent_day[0][family]), _COMPACT),
            "id_number": persons.id_texts(np.where(chance.random(len(child)) < 0.4, number, 0)),
            "document_number": _digits(county.place * 10**6 + np.arange(len(child)) + 9 * 10**8),
            "direction": _picked(["出", "入"], ~is_child & (chance.random(len(child)) < 0.5)),
            "crossed_on": _digits((crossed * 24 - 8) * 3_600_000),
            "destination": _picked(["缅甸", "越南", "泰国", "法国"], chance.integers(0, 4, len(child))),
        }
    )


def _approvals(county: _County) -> pl.DataFrame:
    """缓学休学审批: late entry and suspension."""
    chance = county.chance
    suspended = np.flatnonzero(county.fate == _SUSPENDED)
    child = np.concatenate([np.flatnonzero(county.fate == _DEFERRED), suspended[chance.random(len(suspended)) < 5 / 6]])
    is_leave = county.fate[child] == _SUSPENDED
    year = county.province.school_year
    return pl.DataFrame(
        {
            "id_number": persons.id_texts(county.number[child]),
            "student_number": county.student_numbers(child).set(pl.Series(~is_leave), None),
            "name": persons.name_texts(stock(), county.child_name[child]),
            "birth_date": _dates(county.day[child], _DASHED),
            "kind": _picked(["延缓入学", "休学"], is_leave),
            "from_date": _picked([f"{year}-09-01"], np.zeros(len(child))),
            "to_date": _picked([f"{year + 1}-08-31"], np.zeros(len(child))),
            "approval_number": _digits(county.code * 10**6 + np.arange(len(child))),
        }
    )


_WRITTEN_BY: Final[dict[str, Callable[[_County], pl.DataFrame]]] = {
    "population": _population,
    "student_registry": _student_registry,
    "in_school": _in_school,
    "absences": _absences,
    "residents": _residents,
    "poverty_register": _poverty_register,
    "exit_entry": _exit_entry,
    "approvals": _approvals,
}


if __name__ == "__main__":
    main()
