"""A county small enough to be written down: each child is one situation of the contract, named after what it shows."""

import csv
import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from kcb_pipeline.identity.id_number import check_digit

COUNTY = "532901"


@dataclass
class County:
    """Rows by source, in canonical columns; `write` sends them as CSV."""

    date: dt.date
    rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    _people: int = 0

    def add(self, source: str, **cells: object) -> None:
        """One row of a source."""
        self.rows.setdefault(source, []).append(
            {name: "" if cell is None else str(cell) for name, cell in cells.items()}
        )

    def person(self, name: str, *, born: str = "20160312", county: str = COUNTY, **cells: object) -> dict[str, str]:
        """A child in the population register, with a father of its own; its identity for other sources."""
        self._people += 1
        first17 = f"{county}{born}{self._people * 2 - 1:03d}"
        father = f"{county}19880101{self._people * 2 - 1:03d}"
        who = {
            "id_number": first17 + check_digit(first17),
            "name": name,
            "sex": "1",
            "birth_date": born,
            "father": f"父{name}",
            "father_id": father + check_digit(father),
            "student_number": "G" + first17 + check_digit(first17),
        }
        self.add(
            "population",
            **{
                "id_number": who["id_number"], "name": name, "sex": "1", "birth_date": born, "household_id": f"H{self._people}",
                "division_code": county, "township_code": county + "101", "township_name": "幸福镇", "father_name": who["father"],
                "father_id_number": who["father_id"], "person_state": "0", "record_flag": "1", "reversal_flag": "0",
                "updated_at": "20260901", **cells,
            },
        )  # fmt: skip
        return who

    def pupil(
        self, who: dict[str, str], *, status: str = "01", grade: int = 5, school: str = "3153290101", **cells: object
    ) -> None:
        """A record of that child in the student registry."""
        self.add(
            "student_registry",
            **{
                "student_number": who["student_number"], "name": who["name"], "sex": who["sex"], "birth_date": who["birth_date"],
                "id_type": "1", "id_number": who["id_number"], "school_code": school, "school_name": f"学校{school[-2:]}",
                "school_division_code": COUNTY, "grade": grade, "registry_status": status, "status_date": "", "enrolled_month": "",
                "attendance_mode": "1", "special_placement": "", "household_division_code": COUNTY,
                "guardian1_name": who["father"], "guardian1_id_number": who["father_id"], **cells,
            },
        )  # fmt: skip

    def write(self, home: Path) -> None:
        """Send everything for the date."""
        folder = home / "extracts" / str(self.date)
        folder.mkdir(parents=True)
        for source, rows in self.rows.items():
            columns = list(dict.fromkeys(column for row in rows for column in row))
            with (folder / f"{source}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, columns, restval="")
                writer.writeheader()
                writer.writerows(rows)
