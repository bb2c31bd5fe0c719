"""Made-up identities that nothing else looks like, and a search for them in everything that a run leaves behind.

Every name, ID number, phone, address and guardian of the canary county carries one of the MARKS. `found` looks for them byte by byte in
all the ways a text is written down by Python, JSON, XML, SQLite, DuckDB or an office file, and inside whatever is packed.
"""

import base64
import datetime as dt
import gzip
import io
import itertools
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb

from kcb_pipeline.identity.id_number import check_digit
from tests.pipeline.micro import County

CHILD, GUARDIAN, PLACE = "鄢龘靐", "鄢齾麤", "龗厵爩巷"
NUMBER, GUARDIAN_NUMBER, PHONE = "5329772016022", "5329771988022", "1997531"
MARKS = (CHILD, GUARDIAN, PLACE, NUMBER, GUARDIAN_NUMBER, PHONE)

_LAST = [chr(code) for code in range(0x6865, 0x6865 + 400)]  # a further character each, so that no two share a name


def canary_county(date: dt.date, *, children: int = 110) -> County:
    """A county in which everybody is a canary, whole rows and broken ones alike; nobody in it exists."""
    county = County(date)
    enrolled = children * 8 // 10
    for n in range(children):
        who = canary(n)
        county.add(
            "population", id_number=who["id_number"], name=who["name"], former_name=CHILD + "旧" if n % 9 == 0 else "", sex="1",
            birth_date=who["born"], household_id=f"H{n}", division_code="532901", township_code="532901101", township_name="幸福镇",
            address=who["address"], father_name=who["guardian"], father_id_number=who["guardian_number"],
            guardian_name=who["guardian"], guardian_id_number=who["guardian_number"], guardian_phone=who["phone"],
            person_state="0", record_flag="1", reversal_flag="0", updated_at="20260901",
        )  # fmt: skip
        if n < enrolled:
            wrong = n % 11 == 0  # a digit of the number is wrong: compared and weighed, not settled by a key
            number = who["id_number"][:-2] + "XX" if wrong else who["id_number"]
            county.add(
                "student_registry", student_number="G" + who["id_number"], name=who["name"], sex="1", birth_date=who["born"], id_type="1",
                id_number=number, school_code="3153290101", school_name="学校01", school_division_code="532901", grade="5",
                registry_status="01", attendance_mode="1", household_division_code="532901", address=who["address"],
                guardian1_name=who["guardian"], guardian1_id_number=who["guardian_number"], guardian1_phone=who["phone"],
            )  # fmt: skip
            county.add(
                "in_school", student_number="G" + who["id_number"], name=who["name"], school_code="3153290101",
                counted_on=f"{date:%Y%m%d}", present="0" if n % 20 == 0 else "1",
            )  # fmt: skip
    who = canary(0)
    # Rows and cells that break rules, an identity in each: where nobody expects one is where it would be repeated.
    for broken in (
        {"id_number": who["name"], "name": who["id_number"], "birth_date": who["phone"]},
        {"id_number": "", "name": "", "birth_date": who["id_number"], "address": who["address"]},
        {"id_number": who["id_number"] + "9" * 300, "name": who["name"] * 200, "birth_date": who["address"]},
        {"id_number": who["phone"], "name": who["address"], "sex": who["name"], "birth_date": "20160231"},
        {"id_number": who["id_number"], "name": who["name"], "sex": who["guardian"], "division_code": who["guardian_number"]},
    ):  # fmt: skip
        county.add("population", **{"household_id": "H", "sex": "1", "division_code": "532901", **broken})
    county.add(
        "student_registry", student_number=who["phone"], name=who["address"], id_number=who["name"], grade=who["name"]
    )
    county.add("student_registry", student_number=who["name"], name="", id_number="", registry_status=who["id_number"])
    return county


def canary(n: int) -> dict[str, str]:
    """The n-th canary."""
    born = NUMBER[6:] + str(n % 10)
    first17 = NUMBER[:6] + born + f"{(n // 10) * 2 + 1:03d}"
    guardian17 = GUARDIAN_NUMBER + f"{n % 10}" + f"{(n // 10) * 2 + 1:03d}"
    return {
        "id_number": first17 + check_digit(first17), "name": CHILD + _LAST[n], "born": born, "guardian": GUARDIAN + _LAST[n],
        "guardian_number": guardian17 + check_digit(guardian17), "phone": f"{PHONE}{n:04d}", "address": f"幸福镇{PLACE}{n}号",
    }  # fmt: skip


def spoil(folder: Path) -> None:
    """Break the files of a written county as files are broken: lines that are no records, names of files that are names of people."""
    who = canary(1)
    with (folder / "population.csv").open("a", encoding="utf-8") as file:
        file.write(f"{who['id_number']},{who['name']}\n")  # cells are missing
        file.write(
            f'"{who["name"]}"{who["phone"]},{",".join([who["address"]] * 60)}\n'
        )  # too many, and quotes in the middle
    (folder / "verifications").mkdir()
    (folder / "verifications" / f"{who['name']}.csv").write_text(
        f"案件编号,姓名,核查结果,核查日期,核查人\n{who['name']},{who['id_number']},{who['phone']},{who['address']},{who['guardian']}\n",
        encoding="utf-8",
    )
    (folder / "residents.csv").write_text(  # a column that somebody named after somebody
        f"证件号码,姓名,性别,出生日期,户籍地区划,居住地区划,{who['name']}\n{who['id_number']},{who['name']},1,{who['born']},532901,532901,x\n",
        encoding="utf-8",
    )
    (folder / f"{who['name']}{who['phone']}.pdf").write_bytes(b"%PDF-1.4")


_DIGITS = frozenset(mark for mark in MARKS if mark.isdigit())
_INTEGERS = tuple(int(canary(n)["id_number"][:17]) for n in (0, 1, 90, 100))


def _written(mark: str) -> Iterator[tuple[str, bytes]]:
    """The ways in which a mark is written down."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
        yield encoding, mark.encode(encoding)
    if mark not in _DIGITS:
        escaped = "".join(f"\\u{ord(character):04x}" for character in mark)
        yield "json", escaped.encode()
        yield "json upper case", "".join(f"\\u{ord(character):04X}" for character in mark).encode()
        yield "json twice", escaped.replace("\\", "\\\\").encode()
        yield "repr of bytes", repr(mark.encode())[2:-1].encode()
        yield "xml", "".join(f"&#{ord(character)};" for character in mark).encode()
        yield "xml hexadecimal", "".join(f"&#x{ord(character):x};" for character in mark).encode()
        yield "percent", quote(mark).encode()


NEEDLES = {needle: f"{mark} as {how}" for mark in reversed(MARKS) for how, needle in _written(mark)} | {
    number.to_bytes(8, order): f"{number} as a {order}-endian integer" for number in _INTEGERS for order in ("little", "big")
}  # fmt: skip


def found(*roots: Path, except_for: tuple[Path, ...] = ()) -> dict[str, list[str]]:
    """Which marks stand in the files below `roots` (in their names too), but for those under `except_for`: file → what, how."""
    told: dict[str, list[str]] = {}
    for root in roots:
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if any(path.is_relative_to(place) for place in except_for):
                continue
            what = found_in(str(path.relative_to(root)).encode())
            if path.is_file() and not path.is_symlink():
                what += found_in(path.read_bytes())
                what += _in_database(path)
            if what:
                told[str(path)] = sorted(set(what))
    return told


def found_in(data: bytes) -> list[str]:
    """Which marks stand in some bytes, or in what is packed in them."""
    return [how for part in _parts(data, depth=0) for needle, how in NEEDLES.items() if needle in part]


_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{40,}={0,2}")
_DEEPEST = 4


def _parts(data: bytes, depth: int) -> Iterator[bytes]:
    """Some bytes, and everything that unpacks from them: zip, gzip, zlib anywhere in them, base64."""
    yield data
    if depth == _DEEPEST:
        return
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for name in packed.namelist():
                yield name.encode()
                yield from _parts(packed.read(name), depth + 1)
        return
    if data[:2] == b"\x1f\x8b":
        yield from _parts(gzip.decompress(data), depth + 1)
        return
    for magic in (b"x\x9c", b"x\xda", b"x\x01"):
        for start in _places(data, magic):
            try:
                unpacked = zlib.decompressobj().decompress(data[start:])
            except zlib.error:
                continue
            if unpacked:
                yield from _parts(unpacked, depth + 1)
    for run in itertools.islice(_BASE64.finditer(data), 20_000):
        text = run[0].rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        try:
            unpacked = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
        except ValueError:
            continue
        if unpacked[:2] in (b"PK", b"\x1f\x8b", b"x\x9c", b"x\xda", b"x\x01"):
            yield from _parts(unpacked, depth + 1)
        else:
            yield unpacked


def _places(data: bytes, what: bytes) -> Iterator[int]:
    at = data.find(what)
    while at >= 0:
        yield at
        at = data.find(what, at + 1)


def _in_database(path: Path) -> list[str]:
    """What a database shows through its tables: values may lie split or packed in its pages."""
    with path.open("rb") as file:
        data = file.read(16)
    if data.startswith(b"SQLite format 3"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            cells = (cell for t in tables for row in connection.execute(f'SELECT * FROM "{t}"') for cell in row)
            told = [how for cell in cells if cell is not None for how in found_in(_bytes(cell))]
        connection.close()
        return told
    if data[8:12] == b"DUCK":
        told = []
        with duckdb.connect(str(path), read_only=True) as connection:
            for schema, table in connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
                for row in connection.execute(f'SELECT * FROM "{schema}"."{table}"').fetchall():
                    told += [how for cell in row if cell is not None for how in found_in(str(cell).encode())]
        return told
    if data.startswith(b"PAR1"):
        rows = duckdb.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        return [how for row in rows for cell in row if cell is not None for how in found_in(str(cell).encode())]
    return []


def _bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode()
