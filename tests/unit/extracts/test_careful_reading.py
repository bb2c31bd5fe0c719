"""Landing in blocks, by threads and by distinct values gives what reading one row after the other, one cell after the other, gives.

The careful reader below is written from extracts.md alone: a line at a time, a character at a time, a cell at a time. Made-up files are
landed by both, cut into blocks of every size, in both encodings, and as Parquet: rows, their numbers, values, quarantine, cell issues and
repeated rows have to be the same.
"""

import datetime as dt
import re
from dataclasses import dataclass, field

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcb_pipeline.extracts import parquet_file, text_file
from kcb_pipeline.extracts import records as records_of_text
from kcb_pipeline.extracts.catalogue import MISSING, sources
from kcb_pipeline.identity.id_number import PROVINCES, check_digit

ON = dt.date(2026, 11, 20)
SOURCE = sources()["student_registry"]
HEADERS = {
    "student_number": "全国学籍号", "name": "姓名", "former_name": "曾用名", "sex": "性别", "birth_date": "出生日期", "id_type": "身份证件类型",
    "id_number": "身份证件号", "school_code": "学校标识码", "school_name": "学校名称", "grade": "年级", "registry_status": "学籍状态",
    "address": "现住址", "guardian1_id_number": "成员1身份证件号",
}  # fmt: skip
COLUMNS = list(HEADERS)
INVISIBLE = [*range(32), *range(0x7F, 0xA0), 0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF, 0xFFFE, 0xFFFF]  # fmt: skip
FULL_WIDTH = {point + 0xFEE0: point for point in range(0x21, 0x7F)}
REPAIRED = {"\ue81e": "\u9fb4"}
"""One of the characters that Python's table gives a private place."""

ERRORS = {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"}
SEXES = {"1": "1", "男": "1", "2": "2", "女": "2"}
SEXES_UNKNOWN = {"0", "9", "未知"}
DAYS = {"20150312": dt.date(2015, 3, 12), "2015-3-12": dt.date(2015, 3, 12), "2015年3月13日": dt.date(2015, 3, 13)}
NO_DAYS = {"20150230", "20991231", "昨天"}
GRADES = {"7": 7, "七年级": 7, "初一": 7, "小学一年级": 1}
ID_TYPES = {"1": "1", "居民身份证": "1", "护照": "A", "A": "A"}
STATUSES = {"01": "01", "1": "01", "在读": "01", "辍学": "辍学"}


# -- the careful reader --------------------------------------------------------------------------------------------


@dataclass
class Careful:
    """What landing one file has to come to."""

    rows: dict = field(default_factory=dict)
    quarantined: dict = field(default_factory=dict)
    issues: set = field(default_factory=set)
    read: int = 0

    def land(self, row, cells):
        values, rules, long = {}, set(), None
        for column in COLUMNS:
            values[column], found, too_long = cell(column, cells[column])
            rules |= {(row, column, rule) for rule in found}
            long = long or too_long
        own, birth = values["id_number"], values["birth_date"]
        valid = is_valid(own)
        for column in ("id_number", "guardian1_id_number"):
            number = values[column]
            counts = column != "id_number" or values["id_type"] in (None, "1")
            if number is not None and counts and not is_valid(number) and not is_ruined(number):
                rules.add((row, column, "bad_check_digit"))
        if valid and birth is not None and birth != dt.date(int(own[6:10]), int(own[10:12]), int(own[12:14])):
            rules.add((row, "id_number", "id_birth_mismatch"))
        if valid and values["sex"] is not None and values["sex"] != "21"[int(own[16]) % 2]:
            rules.add((row, "id_number", "id_sex_mismatch"))
        self.issues |= rules
        if long:
            self.quarantined[row] = "too_long"
        elif values["name"] is None:
            self.quarantined[row] = "name_missing"
        elif not valid and birth is None and values["student_number"] is None:
            self.quarantined[row] = "unidentifiable"
        else:
            self.rows[row] = (*values.values(), valid)

    def without_copies(self):
        seen, kept = set(), {}
        for row, values in self.rows.items():
            if values not in seen:
                kept[row] = values
            seen.add(values)
        return kept


def cell(column, written):
    """(value, rules broken, whether it is too long) of one cell."""
    kind = SOURCE.column(column).type
    if written is None or written in MISSING:
        return None, [], False
    seen = "".join(character for character in written if ord(character) not in INVISIBLE)
    plain = re.sub('^="(.*)"$', r"\1", seen.strip(), flags=re.DOTALL).strip()
    if kind not in ("text", "name", "id_number", "student_number"):
        plain = re.sub("^['’‘`＇]+", "", plain).strip()
    rules = ["control_characters"] if seen != written else []
    if kind in ("text", "name", "number", "id_number", "student_number"):
        too_long = len(plain) > (100 if kind == "name" else 4096)
        if plain in MISSING:
            return None, rules, too_long
        if plain in ERRORS:
            return None, [*rules, "spreadsheet_error"], too_long
        if kind in ("id_number", "student_number"):
            if is_ruined(plain):
                return plain if kind == "id_number" else None, [*rules, "numeric_id_number"], too_long
            return re.sub(r"[\s'’‘`-]", "", plain.translate(FULL_WIDTH)).upper() or None, rules, too_long
        if kind == "number":
            plain = re.sub(r"^([0-9]{1,15})\.0+$", r"\1", plain.translate(FULL_WIDTH).strip())
            if re.fullmatch(r"[0-9]\.[0-9]+[eE]\+?[0-9]{2}|[0-9][eE]\+[0-9]{2}|[0-9]{16,}\.0+", plain):
                return None, [*rules, "numeric_id_number"], too_long
        return None if plain in MISSING else plain, rules, too_long
    too_long = len(written) > 4096
    if plain in MISSING:
        return None, rules, too_long
    values, rule = {
        "sex": (SEXES, "unknown_code"),
        "birth_date": (DAYS, "impossible_date"),
        "grade": (GRADES, "unknown_code"),
        "id_type": (ID_TYPES, "unknown_code"),
        "registry_status": (STATUSES, "unknown_code"),
    }[column]
    if plain in values:
        return values[plain], rules, too_long
    if column == "sex" and plain in SEXES_UNKNOWN:
        return None, rules, too_long
    return None, [rule], too_long


def is_ruined(number):
    return bool(re.fullmatch(r"[0-9](\.[0-9]+)?[eE]\+?1[0-9]|[0-9]{14,18}\.0+", number))


def is_valid(number):
    if number is None or not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        return False
    try:
        born = dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return check_digit(number[:17]) == number[17] and int(number[:2]) in PROVINCES and dt.date(1900, 1, 1) <= born <= ON


def records(lines, separator):
    """Every data row of a file: its cells, or the rule that it breaks. Lines are bytes' texts, None where they are in no encoding."""
    at = 0
    while at < len(lines):
        if lines[at] is not None and not lines[at].rstrip("\r"):
            at += 1  # a blank line is no row
            continue
        if lines[at] is None or "\0" in lines[at]:
            yield None
            at += 1
            continue
        for after in range(at + 1, min(at + 64, len(lines)) + 1):
            if any(line is None or "\0" in line for line in lines[at:after]):
                after = len(lines) + 1
                break
            found = fields("\n".join(lines[at:after]).rstrip("\r"), separator, strict=after > at + 1)
            if found is not None:
                break
        whole = found is not None and after <= len(lines) and len(found) == len(COLUMNS)
        yield dict(zip(COLUMNS, found, strict=True)) if whole else None
        at = after if whole else at + 1  # what opens and never closes costs its own line


def fields(text, separator, *, strict):
    """The cells of a record, a character at a time; None where a quotation mark stays open."""
    cells, now, state = [], "", "start"
    for character in [*text, None]:
        if state == "quoted":
            if character is None:
                return None
            state, now = ("closing", now) if character == '"' else (state, now + character)
            continue
        if state == "closing":
            if character == '"':
                state, now = "quoted", now + '"'
                continue
            if strict and character not in (separator, None):
                return None
            state = "plain"
        if character in (separator, None):
            cells.append(now)
            now, state = "", "start"
        elif character == '"' and state == "start":
            state = "quoted"
        else:
            now, state = now + character, "plain"
    return cells


# -- files made to be difficult ------------------------------------------------------------------------------------

VALID = ["110105194912310021", "53290120150312001", "532901201503130021", "44052418800101001"]
NUMBERS = [number + check_digit(number) if len(number) == 17 else number for number in VALID]
NAMES = ["王小明", "买买提·艾力", "李 四", "欧阳 ", "王\u3000五", "䶮", "𠀀", "王\u200b小明", "\ue81e", "ＷＡＮＧ", "无", "王\x7f", "王\xa0", "\ufeff王", "长" * 101, "a“b”", "#VALUE!", " #REF! ", "#1", '="王小明"', '="无"', '="', '="王']  # fmt: skip
NOTHING = ["", "", "NULL", r"\N", "无", "-", "—", "暂无", "不详", " ", "\u3000", " 无"]
IDS = [*NUMBERS, "532901201503120012", "11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", " 11010519491231002X", "'532901201503130021", "5.32901E+17", "532901201503130021.0", "ABC", "5E17", "110105 194912310021", "#N/A", '="532901201503130021"', '="5.32901E+17"']  # fmt: skip

CELLS = {
    "student_number": [
        "G11010519491231002X",
        "L1234567890123456789",
        "g1",
        "ｇ１１０１０５194912310021",
        " G2",
        "5E17",
        "#N/A",
        *NOTHING,
    ],
    "name": NAMES,
    "former_name": [*NAMES, *NOTHING],
    "sex": ['="1"', *SEXES, *SEXES_UNKNOWN, "3", " 男 ", "男\u200b", *NOTHING],
    "birth_date": ['="20150312"', *DAYS, *NO_DAYS, "\t20150312", "'20150312", "'", *NOTHING],
    "id_type": [*ID_TYPES, "X1", *NOTHING],
    "id_number": [*IDS, *NOTHING],
    "school_code": [
        "2153000001",
        " 2153000001",
        "２１５３0000０1",
        "'2153000001",
        "’ 2153000001",
        "'",
        "－",
        "2153000001.0",
        "２１５３000001.00",
        "2.153E+15",
        "2.153E15",
        "2E+09",
        "2E9",
        "1234567890123456.0",
        "#NUM!",
        *NOTHING,
    ],
    "school_name": ["一中", "一中,二部", '一"中"', "一\n中", "一\r中", "一|中", "一\t中", *NOTHING],
    "grade": [*GRADES, "13", *NOTHING],
    "registry_status": [*STATUSES, "100", *NOTHING],
    "address": ["云溪镇1组", "#DIV/0!", "云溪镇3#楼", "#", "云溪镇 1组", "云溪镇1组 ", "a" * 4097, "\u2028", *NOTHING],
    "guardian1_id_number": [*IDS, *NOTHING],
}
ROWS = st.lists(st.tuples(*(st.sampled_from(CELLS[column]) for column in COLUMNS)), min_size=1, max_size=12)
JUNK = st.sampled_from(["x", '"', '"a,b', 'a"b', ",,,,", "\r", "", " ", "\0", '""', '"a"b,c', "\ufeff", "x" * 300])


@st.composite
def texts(draw, separator):
    """The lines of a file: rows with more or fewer quotation marks than needed, rows that stand twice, and lines that are none."""
    lines = []
    for row in draw(ROWS):
        style = draw(st.sampled_from(["needed", "all", "none"]))
        line = separator.join(written(text, separator, style) for text in row)
        lines += [line] * draw(st.sampled_from([1, 1, 1, 2]))
        if draw(st.integers(0, 4)) == 0:
            lines.append(draw(JUNK))
    return lines


def written(text, separator, style):
    special = any(character in text for character in f'{separator}"\n\r')
    if style == "all" or (style == "needed" and special):
        return '"' + text.replace('"', '""') + '"'
    return text


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8", ","), ("gb18030", ","), ("utf-8", "\t"), ("gb18030", "|")]
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_text_is_landed_as_the_careful_reader_lands_it(desk, encoding, separator, data):
    # Arrange
    lines = data.draw(texts(separator))
    line_end = data.draw(st.sampled_from(["\n", "\r\n"]))
    body = line_end.join(lines).encode(encoding) + data.draw(st.sampled_from([b"", b"\n", b"\xff\n"]))
    header = separator.join(HEADERS.values()).encode(encoding)
    desk.put("student_registry.csv", header + b"\n" + body)
    careful = Careful()
    for row, cells in enumerate(records(decoded(body, encoding), separator), start=1):
        careful.read = row
        if cells is None:
            careful.quarantined[row] = "malformed_row"
        else:
            careful.land(row, cells)

    # Act
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_file, "BLOCK_BYTES", data.draw(st.sampled_from([64, 200, 1000, 1 << 20])))
        patch.setattr(
            records_of_text, "FEW", data.draw(st.sampled_from([0, records_of_text.FEW]))
        )  # few rows are never few among few
        account = desk.land("student_registry") if careful.read else None

    # Assert
    if account is not None:
        assert account.read == careful.read
        assert_the_same(desk, careful)


def decoded(body, encoding):
    """The lines of a file, None where one is not in its encoding."""
    lines = body.split(b"\n")
    found = []
    for line in lines if lines[-1] else lines[:-1]:
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            found.append(None)
            continue
        repairs = REPAIRED if encoding == "gb18030" else {}
        found.append("".join(repairs.get(character, character) for character in text))
    return found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, batch=st.sampled_from([1, 3, 1 << 17]))
def test_parquet_is_landed_as_the_careful_reader_lands_it(desk, rows, batch):
    frame = pl.DataFrame([dict(zip(HEADERS.values(), row, strict=True)) for row in rows])
    frame.write_parquet(desk.extracts / "student_registry.parquet")
    careful = Careful()
    for row, cells in enumerate(rows, start=1):
        careful.land(row, dict(zip(COLUMNS, cells, strict=True)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_file, "BATCH_ROWS", batch)
        account = desk.land("student_registry")

    assert account.read == len(rows)
    assert_the_same(desk, careful)


def assert_the_same(desk, careful):
    assert desk.quarantined("student_registry") == careful.quarantined
    assert desk.issues("student_registry") == careful.issues
    assert desk.landed("student_registry", *COLUMNS, "id_valid") == careful.without_copies()
    copies = {row for (row,) in desk.query("SELECT row FROM landed.duplicate_rows WHERE source = 'student_registry'")}
    assert copies == careful.rows.keys() - careful.without_copies().keys()
