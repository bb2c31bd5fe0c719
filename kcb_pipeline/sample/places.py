"""The made-up prefecture: counties, townships, villages and schools.

What belongs here: where things are and which school takes whom. No county here exists: the names are invented and the
codes, though they have the form of GB/T 2260, were never assigned, so that no ID number made from them is anybody's.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final, Literal

SchoolKind = Literal["primary", "junior", "nine_year", "senior", "special"]

COUNTIES: Final = (("532936", "云溪县"), ("532937", "苍麓县"), ("532938", "澜泉彝族自治县"))
TOWNSHIPS: Final = (
    ("凤鸣镇", "石桥镇", "松坪镇", "柳河镇", "青箐乡", "红岩乡", "沙坝彝族乡", "新寨乡"),
    ("文昌街道", "双塔镇", "大栗树镇", "龙潭镇", "白水乡", "马鞍山乡", "麦地傈僳族乡", "竹园乡"),
    ("泉城镇", "盐井镇", "花椒坪镇", "黑泥哨镇", "拖底乡", "永新乡", "阿拉彝族乡", "落水乡"),
)
VILLAGE_HEADS: Final = "大小上下新老东西前后"
VILLAGE_TAILS: Final = "河坪坝寨湾箐岭田石树塘沟"
OUTSIDE: Final = (
    ("530391", "滇东某市"),
    ("510492", "川南某区"),
    ("520391", "黔北某县"),
    ("440991", "粤西某市"),
    ("500291", "渝东某县"),
    ("513391", "川西某县"),
    ("632391", "青海某县"),
    ("653191", "南疆某县"),
)
"""Divisions outside the region, likewise unassigned; migrants come from there and go there."""
SILENT_TOWNSHIP: Final = 6
"""The township whose schools have no attendance platform: they send neither headcounts nor absences."""
STALE_TOWNSHIP: Final = 4
"""The township of the second county whose central school sent its last headcount long ago, and no absences."""
JUNIORS_ELSEWHERE: Final = {5: 4, 7: 3}
"""Townships without a junior middle school, and the township whose school takes their pupils."""


@dataclass(slots=True, eq=False)
class School:
    """A school, and how it reports."""

    code: str
    name: str
    kind: SchoolKind
    division: str
    style: int = 0
    """Which habits of writing its office has (labels or codes, forms of dates)."""
    reports: bool = True
    """Whether it sends headcounts and absences at all."""
    stale: bool = False
    counted_on: dt.date | None = None
    """The day of the last headcount it sent."""


@dataclass(slots=True, eq=False)
class Village:
    """A village committee (居村委会)."""

    code: str
    name: str
    township: Township
    school: School | None = None


@dataclass(slots=True, eq=False)
class Township:
    """A township or street office (乡镇街道)."""

    code: str
    name: str
    county: County
    villages: list[Village] = field(default_factory=list)
    primary: School = field(init=False)
    junior: School = field(init=False)


@dataclass(slots=True, eq=False)
class County:
    """A county (县)."""

    code: str
    name: str
    townships: list[Township] = field(default_factory=list)
    seniors: list[School] = field(default_factory=list)

    def silent_school(self, grade: int) -> School:
        """The school for a grade from 1 to 9 that never reports attendance."""
        township = self.townships[SILENT_TOWNSHIP]
        return township.primary if grade <= 6 else township.junior


@dataclass(slots=True, eq=False)
class Region:
    """Everything on the map."""

    counties: list[County]
    schools: list[School]
    special: School
    outside: list[School]

    @property
    def townships(self) -> list[Township]:
        """All townships, county by county."""
        return [township for county in self.counties for township in county.townships]


def school_for(village: Village, grade: int, variant: int) -> School:
    """The school a child of a village attends in a grade; `variant` decides where there is a choice."""
    if grade <= 4 and village.school is not None:
        return village.school
    if grade <= 6:
        return village.township.primary
    if grade <= 9:
        return village.township.junior
    return village.township.county.seniors[variant % len(village.township.county.seniors)]


def build_region() -> Region:
    """The map. It is the same for every seed."""
    schools: list[School] = []

    def school(name: str, kind: SchoolKind, division: str, *, reports: bool = True, stale: bool = False) -> School:
        digit = {"primary": 2, "junior": 3, "nine_year": 3, "senior": 4, "special": 5}[kind]
        serial = len(schools) + 1
        new = School(f"{digit}1{division[:2]}{serial * 37 + 100000:06d}", name, kind, division, serial, reports, stale)
        schools.append(new)
        return new

    counties = [County(code, name) for code, name in COUNTIES]
    for county, names in zip(counties, TOWNSHIPS, strict=True):
        for place, name in enumerate(names):
            level = 1 if name.endswith("街道") else 100 if name.endswith("镇") else 200
            township = Township(f"{county.code}{level + place:03d}", name, county)
            county.townships.append(township)
            _settle(township, place)
            silent = place == SILENT_TOWNSHIP
            stale = county is counties[1] and place == STALE_TOWNSHIP
            if place == 3:
                township.primary = township.junior = school(f"{name}九年一贯制学校", "nine_year", county.code)
            else:
                reports = not silent and not stale
                township.primary = school(
                    f"{name}中心小学", "primary", county.code, reports=reports or stale, stale=stale
                )
                if place not in JUNIORS_ELSEWHERE:
                    township.junior = school(f"{name}初级中学", "junior", county.code, reports=not silent)
            if not silent:
                for village in township.villages[:2]:
                    village.school = school(f"{name}{village.name}小学", "primary", county.code)
        for place, other in JUNIORS_ELSEWHERE.items():
            county.townships[place].junior = county.townships[other].junior
        county.seniors = [
            school(f"{county.name}第一中学", "senior", county.code),
            school(f"{county.name}民族中学", "senior", county.code),
        ]
    special = school(f"{COUNTIES[0][1]}特殊教育学校", "special", counties[0].code)
    outside = [
        school(f"{OUTSIDE[0][1]}实验学校", "nine_year", OUTSIDE[0][0], reports=False),
        school(f"{OUTSIDE[3][1]}育才学校", "nine_year", OUTSIDE[3][0], reports=False),
    ]
    return Region(counties, schools, special, outside)


def _settle(township: Township, place: int) -> None:
    """Six villages; the names repeat between townships, as they do in life."""
    for number in range(6):
        head = VILLAGE_HEADS[(place * 3 + number) % len(VILLAGE_HEADS)]
        tail = VILLAGE_TAILS[(place * 5 + number * 7) % len(VILLAGE_TAILS)]
        kind = 1 if township.name.endswith("街道") else 200
        township.villages.append(Village(f"{township.code}{kind + number:03d}", f"{head}{tail}村", township))
