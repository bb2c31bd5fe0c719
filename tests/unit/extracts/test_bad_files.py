"""Files made to break a reader: each is refused in one line that quotes nothing, or every one of its rows is accounted for."""

import contextlib
import gzip
import io
import random
import re
import struct
import time
import zipfile

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts import packed, parquet_file, records, text_file
from kcb_pipeline.review.filled import read_filled

HEADERS = ["student_number", "absent_on", "kind"]
ROWS = [[f"G{n}", "20261118", "无故"] for n in range(30)]
NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def csv_file(rows=ROWS):
    return "".join(",".join(row) + "\n" for row in [HEADERS, *rows]).encode()


def workbook(rows=ROWS, *, formula=None):
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("';DROP TABLE landed.files;--"[:31].replace("'", "").replace(";", ""))
        for place, row in enumerate([HEADERS, *rows]):
            sheet.write_row(place, 0, row)
        if formula:
            sheet.write_formula(1, 0, formula, None, "G123")
    return out.getvalue()


def parquet(rows=ROWS):
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(HEADERS, map(list, zip(*rows, strict=True)), strict=True))), out)
    return out.getvalue()


KINDS = {"absences.csv": csv_file(), "absences.csv.gz": gzip.compress(csv_file(), mtime=0), "absences.xlsx": workbook(), "absences.parquet": parquet()}  # fmt: skip


def with_sheet(sheet, *, shared=""):
    """A workbook whose first sheet, and shared texts, are this XML."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook())) as whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in whole.namelist():
            data = whole.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = re.sub(rb"<row r=\"2\".*</sheetData>", sheet.encode() + b"</sheetData>", data, flags=re.DOTALL)
            if name == "xl/sharedStrings.xml" and shared:
                data = data.replace(b"</sst>", shared.encode() + b"</sst>")
            made.writestr(name, data)
    return out.getvalue()


def lying(data):
    """The same archive, whose directory says that every part is a hundred bytes long."""
    data, at = bytearray(data), 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data[at + 24 : at + 28] = struct.pack("<I", 100)
        at += 4
    return bytes(data)


def land(desk, name, data):
    """The account of a file; None where it is refused. Nothing else may come of it."""
    for path in desk.extracts.glob("absences*"):
        path.unlink()
    path = desk.put("absences.bin", data)
    path.rename(path.with_name(name))
    refused = []
    account = None
    try:
        account = desk.land("absences")
    except ContractError as error:
        refused.append(str(error))
    if account is None:
        assert "\n" not in refused[0]
        return None
    assert account.read == account.landed + account.quarantined + account.duplicate_rows
    return account


@pytest.mark.parametrize("name", KINDS)
def test_files_with_some_bytes_changed_are_refused_or_accounted_for(desk, name):
    chance = random.Random(name)
    assert land(desk, name, KINDS[name]).read == len(ROWS)
    refused = 0
    for _ in range(30):
        data = bytearray(KINDS[name])
        for _ in range(chance.choice([1, 2, 8])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        refused += land(desk, name, bytes(data)) is None if data else 0

    assert refused > 0


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from('",\n\r\t|a无\0\ufeff\x1f\u2028 '), max_size=60))
def test_whatever_stands_below_a_header_is_accounted_for(desk, text):
    land(desk, "absences.csv", ",".join(HEADERS).encode() + b"\n" + text.encode())


def test_quotation_marks_that_never_close_cost_no_more_than_their_rows(desk, monkeypatch):
    monkeypatch.setattr(records, "MOST_UNENDED", 100)
    began = time.process_time()

    account = land(desk, "absences.csv", csv_file() + b'"a\n' * 20_000)

    assert (account.landed, account.quarantined) == (len(ROWS), 20_000)
    assert time.process_time() - began < 20  # a minute, where each of them is looked for over 64 lines


def test_a_file_of_lines_that_are_no_rows_is_refused_before_they_fill_the_memory(desk, monkeypatch):
    monkeypatch.setattr(records, "MOST_REFUSED", 1000)

    assert land(desk, "absences.csv", csv_file() + b"x\n" * 1000) is not None
    for line in (b"x\n", b'"x\n'):
        assert land(desk, "absences.csv", csv_file() + line * 1001) is None


def test_a_line_without_end_is_stepped_over_and_costs_its_row(desk):
    account = land(desk, "absences.csv.gz", gzip.compress(csv_file() + b"x" * (40 << 20) + b"\nG99,20261118,\xe6\x97\xa0\xe6\x95\x85\n", 1))  # fmt: skip

    assert (account.landed, account.quarantined) == (len(ROWS) + 1, 1)


def test_a_gzip_bomb_is_refused(desk, monkeypatch):
    monkeypatch.setattr(text_file, "EXPANSION_COUNTS_FROM", 1 << 20)

    assert land(desk, "absences.csv.gz", gzip.compress(csv_file() + b"G1,20261118,\xe6\x97\xa0\xe6\x95\x85\n" * 200_000)) is None  # fmt: skip
    assert land(desk, "absences.csv.gz", gzip.compress(csv_file())) is not None


def test_a_header_of_one_endless_cell_is_refused(desk):
    assert land(desk, "absences.csv", b"x" * 200_000 + b"\nG1\n") is None


def test_a_workbook_is_measured_by_unpacking_whatever_it_says(desk, monkeypatch):
    monkeypatch.setattr(packed, "MOST_UNPACKED_BYTES", 1 << 20)
    long = with_sheet(f'<row r="2"><c r="A2" t="inlineStr"><is><t>{"x" * (2 << 20)}</t></is></c></row>')

    assert len(long) < 20_000
    assert land(desk, "absences.xlsx", long) is None
    assert land(desk, "absences.xlsx", lying(long)) is None
    with pytest.raises(ContractError):
        packed.refuse_packed_bomb(desk.put("bomb.xlsx", lying(long)), shown="bomb.xlsx")


@pytest.mark.parametrize(
    "sheet",
    [
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        "<row r='1048576'><c r = 'XFD1048576'><v>1</v></c></row>",
        '<x:row r="1048576"><x:c r="XFD1048576"><v>1</v></x:c></x:row>',
        '<row r="1048576">' + "<c><v>1</v></c>" * 16384 + "</row>",
        '<row r="2"><c r="&#88;FD1048576"><v>1</v></c></row>',
    ],
)
def test_a_cell_at_the_end_of_the_sheet_is_no_bomb(desk, sheet):
    began = time.process_time()

    assert land(desk, "absences.xlsx", with_sheet(sheet)) is None
    assert time.process_time() - began < 10


@pytest.mark.parametrize("offset", [1 << 40, 1 << 63, (1 << 64) - 1])
def test_a_part_that_is_said_to_stand_beyond_any_file_is_not_looked_for(desk, offset):
    data = bytearray(KINDS["absences.xlsx"])
    at = data.rindex(b"PK\x01\x02")
    name, extra = struct.unpack_from("<HH", data, at + 28)
    data[at + 42 : at + 46] = b"\xff" * 4
    data[at + 46 + name : at + 46 + name] = struct.pack("<HHQ", 1, 8, offset)
    struct.pack_into("<H", data, at + 30, extra + 12)
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<I", data, end + 12, struct.unpack_from("<I", data, end + 12)[0] + 12)

    assert land(desk, "absences.xlsx", bytes(data)) is None


def test_entities_that_multiply_are_not_resolved(desk):
    laughs = '<!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)) + "]>"  # fmt: skip
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(KINDS["absences.xlsx"])) as whole, zipfile.ZipFile(out, "w") as made:
        for part in whole.namelist():
            text = whole.read(part).decode()
            if part.startswith("xl/") and part.endswith(".xml"):
                text = text.replace("?>", f"?>{laughs}", 1).replace("无故", "&a11;")
            made.writestr(part, text)
    began = time.process_time()

    account = land(desk, "absences.xlsx", out.getvalue())

    assert account is None or account.landed == 0
    assert time.process_time() - began < 10


@pytest.mark.parametrize("make", [workbook, parquet])
def test_what_stands_inside_a_file_may_be_anything(desk, make):
    """Not the packed bytes, whose checksum would be wrong, but what is in them."""
    chance = random.Random(make.__name__)
    for _ in range(30):
        data = make()
        if make is workbook:
            out = io.BytesIO()
            with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(out, "w") as made:
                spoilt = chance.choice(whole.namelist())
                for part in whole.namelist():
                    made.writestr(part, spoil(whole.read(part), chance) if part == spoilt else whole.read(part))
            data = out.getvalue()
        else:
            out = io.BytesIO()
            pq.write_table(pq.read_table(io.BytesIO(data)), out, compression="none", use_dictionary=False)
            data = spoil(out.getvalue(), chance)
        land(desk, f"absences.{'xlsx' if make is workbook else 'parquet'}", data)


@pytest.mark.parametrize("use_dictionary", [True, False])
@pytest.mark.parametrize("column", HEADERS)
def test_a_cell_of_a_parquet_file_that_is_no_text_costs_its_row(desk, column, use_dictionary):
    """The kind of an absence, and its day, are read once for all rows that have them."""
    cells = {name: [row[place].encode() for row in ROWS] for place, name in enumerate(HEADERS)}
    cells[column][3] = b"\xff\xfe"
    table = pa.table({name: pa.array(texts, pa.binary()).view(pa.string()) for name, texts in cells.items()})
    out = io.BytesIO()
    pq.write_table(table, out, use_dictionary=use_dictionary)

    account = land(desk, "absences.parquet", out.getvalue())

    assert (account.landed, account.quarantined) == (len(ROWS) - 1, 1)
    assert desk.quarantined("absences") == {4: "malformed_row"}


def spoil(data, chance):
    data = bytearray(data)
    for _ in range(chance.choice([1, 2, 6])):
        at = chance.randrange(len(data))
        new = chance.choice(
            [b"\xff" * 8, bytes(8), b"-1", b"99999999999999999999", b"<", b"&", bytes([chance.randrange(256)])]
        )
        data[at : at + len(new)] = new
    return bytes(data)


def test_a_text_that_many_cells_share_is_no_bomb(desk, monkeypatch):
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 200))
    endless = with_sheet(cells, shared=f"<si><t>{'x' * 300_000}</t></si>")
    assert land(desk, "absences.xlsx", endless) is None
    monkeypatch.setattr(packed, "MOST_UNPACKED_BYTES", 1 << 20)
    many = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{30 + 5}</v></c></row>' for n in range(2, 200))
    assert land(desk, "absences.xlsx", with_sheet(many, shared="<si><t>a</t></si>" * 5 + f"<si><t>{'x' * 30_000}</t></si>" * 3)) is None  # fmt: skip


def test_a_parquet_file_that_unpacks_to_more_than_can_be_is_refused(desk, monkeypatch):
    monkeypatch.setattr(parquet_file, "MOST_UNPACKED_BYTES", 1 << 20)
    out = io.BytesIO()
    pq.write_table(pa.table({name: ["x" * (2 << 20)] for name in HEADERS}), out, compression="zstd")

    assert len(out.getvalue()) < 100_000
    assert land(desk, "absences.parquet", out.getvalue()) is None


def test_a_parquet_file_of_more_rows_than_can_be_is_refused(desk, monkeypatch):
    monkeypatch.setattr(parquet_file, "MOST_ROWS", len(ROWS) - 1)

    assert land(desk, "absences.parquet", KINDS["absences.parquet"]) is None


@pytest.mark.parametrize("formula", ['=CMD|" /C calc"!A0', '=WEBSERVICE("http://127.0.0.1:9/x")', "=1/0", "='[other.xlsx]S'!A1"])  # fmt: skip
def test_formulas_and_links_to_other_workbooks_are_never_evaluated(desk, formula):
    land(desk, "absences.xlsx", workbook(formula=formula))

    assert desk.landed("absences", "student_number")[1] == "G123"


HOSTILE = ["'; DROP TABLE landed.files; --", '"; DELETE FROM landed.files; --', "$1", "{0}", "%s", "\\", "a');ATTACH 'x' AS y;--"]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
def test_sql_is_never_built_from_headers_cells_or_names_of_files(desk, text, kind):
    rows = [["G2", "20261118", "无故"], ["G1", "20261118", text]]
    names = [*HEADERS, text]
    table = [[*row, text] for row in rows]
    if kind == "csv":
        out = io.StringIO()
        pl.DataFrame(table, schema=names, orient="row").write_csv(out)
        data = out.getvalue().encode()
    elif kind == "xlsx":
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
            sheet = book.add_worksheet()
            for place, row in enumerate([names, *table]):
                sheet.write_row(place, 0, row)
        data = out.getvalue()
    else:
        out = io.BytesIO()
        pq.write_table(pl.DataFrame(table, schema=names, orient="row").to_arrow(), out)
        data = out.getvalue()
    desk.put(f"absences/{text.replace('/', '')}.{kind}", data)

    account = desk.land("absences")

    assert (account.read, account.landed, account.quarantined) == (2, 1, 1)
    assert account.unknown_columns == (text,)
    assert desk.query("SELECT count(*) FROM landed.files WHERE source = 'absences'") == [(1,)]
    assert list(desk.landed("absences", "student_number").values()) == ["G2"]


@pytest.mark.parametrize("name", ["../outside.csv", "a/../../outside.csv"])
def test_a_link_in_a_folder_that_leads_out_is_refused(desk, tmp_path, name):
    (tmp_path / "outside.csv").write_bytes(csv_file())
    folder = desk.extracts / "absences"
    folder.mkdir()
    (folder / "a").mkdir()
    (folder / "1.csv").symlink_to(folder / ".." / ".." / name)
    (tmp_path / "extracts" / "outside.csv").write_bytes(csv_file())

    with pytest.raises(ContractError, match=r"a link out of it|a broken link"):
        desk.land("absences")


def test_a_review_workbook_that_is_a_bomb_or_none_is_refused(tmp_path, monkeypatch):
    chance = random.Random(7)
    path = tmp_path / "filled.xlsx"
    for _ in range(20):
        data = bytearray(KINDS["absences.xlsx"])
        for _ in range(8):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        with contextlib.suppress(ContractError):
            read_filled(path, [], None)
    path.write_bytes(with_sheet('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))
    with pytest.raises(ContractError, match="cells up to its last one"):
        read_filled(path, [], None)
    path.write_bytes(b"PK")
    with pytest.raises(ContractError):
        read_filled(path, [], None)
