"""CSV reading: encodings, separators, and rows that are broken without costing their neighbours."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts import text_file
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.delivery import find_columns
from kcb_pipeline.extracts.text_file import TextFile

SOURCE = sources()["in_school"]
HEADER = "student_number,name,school_code,counted_on,present"


def read(path, source=SOURCE):
    """All records of a file as {row: tuple of cells}, and the refused rows."""
    reader = TextFile(path, source, shown=path.name, is_packed=path.suffix == ".gz")
    positions, _ = find_columns(reader.headers, source, shown=path.name)
    records, refused, before = {}, {}, 0
    for stretch in reader.stretches(positions):
        batch = stretch()
        columns = {name: cells.to_pylist() for name, cells in batch.columns.items()}
        for place, row in enumerate(batch.rows.tolist()):
            records[before + row] = tuple(columns[name][place] for name in ("student_number", "name", "present"))
        refused |= {before + row: rule for row, rule in batch.refused}
        before += batch.count
    return records, refused, reader


def write(tmp_path, text, *, encoding="utf-8", name="in_school.csv"):
    path = tmp_path / name
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith("gz") else data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["in_school.csv", "in_school.csv.gz"])
def test_every_dialect_reads_the_same(tmp_path, encoding, separator, line_end, name):
    lines = ["全国学籍号,姓名,学校标识码,清点日期,是否在校", "G1,张䶮,33,20260901,是", "G2,买买提·艾力,33,20260901,否"]
    text = line_end.join(line.replace(",", separator) for line in lines)

    records, refused, _ = read(write(tmp_path, text, encoding=encoding, name=name))

    assert records == {1: ("G1", "张䶮", "是"), 2: ("G2", "买买提·艾力", "否")}
    assert refused == {}


def test_pinyin_headers_behind_gb18030(tmp_path):
    rows = "".join(f"G{n},王小明,33,20260901,是\n" for n in range(50))

    records, _, reader = read(write(tmp_path, f"GRBSM,XM,XXBSM,清点日期,是否在校\n{rows}", encoding="gb18030"))

    assert records[50] == ("G49", "王小明", "是")
    assert "gb18030" in reader.form


def test_ascii_headers_behind_gb18030_are_believed_when_the_text_is_common(tmp_path):
    rows = "".join(f"G{n},王小明,33,20260901,1\n" for n in range(50))

    _, _, reader = read(write(tmp_path, f"{HEADER}\n{rows}", encoding="gb18030"))

    assert "gb18030" in reader.form


def test_ascii_headers_behind_bytes_of_another_encoding_are_refused(tmp_path):
    rows = "".join(f"G{n},ÄÖÜßäöüéè,33,20260901,1\n" for n in range(50))

    with pytest.raises(ContractError, match="UTF-8 or GB18030"):
        read(write(tmp_path, f"{HEADER}\n{rows}", encoding="cp1252"))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_ascii_headers_promise_one_encoding_throughout(tmp_path, monkeypatch, encoding):
    # Arrange: blocks so small that plain rows, telling rows and the torn one are each in blocks of their own.
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 200)
    monkeypatch.setattr(text_file, "_ENOUGH_TO_TELL", 300)
    plain = "".join(f"G{n},Wang,33,20260901,1\n" for n in range(50)).encode()
    telling = "".join(f"G{n},王小明,33,20260901,1\n" for n in range(100)).encode(encoding)
    whole, torn = tmp_path / "in_school.csv", tmp_path / "torn.csv"
    whole.write_bytes(HEADER.encode() + b"\n" + plain + telling)
    torn.write_bytes(HEADER.encode() + b"\n" + plain + telling + b"G9,\xff\xff,33,20260901,1\n")

    records, refused, reader = read(whole)

    assert (len(records), refused, records[150][1]) == (150, {}, "王小明")
    assert encoding in reader.form
    with pytest.raises(ContractError, match="rows in neither"):
        read(torn)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "header", [HEADER, HEADER.replace(",", "\t"), "全国学籍号,学校标识码,清点日期,是否在校", '"全国学籍号","清点日期"']
)
def test_utf16_is_refused_by_name(tmp_path, encoding, header):
    with pytest.raises(ContractError, match="found UTF-16"):
        read(write(tmp_path, f"{header}\r\nG1,王,1,20260901,1\r\n", encoding=encoding))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", ".xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Office"),
        (gzip.compress(b"student_number\n", mtime=0), ".csv.gz"),
        (b"PAR1\x15\x04\x15\x10", ".parquet"),
        (b"\x00\x01\x02\x03\xff", "no text"),
        (b"a,b\x00\n1,2\n", "no text"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(tmp_path, data, found):
    path = tmp_path / "in_school.csv"
    path.write_bytes(data)

    with pytest.raises(ContractError, match=found) as error:
        read(path)

    assert "UTF-16" not in str(error.value)


@pytest.mark.parametrize("rows", [1, 5, 50_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_lines_that_end_in_returns_alone_are_told_as_such(tmp_path, rows, encoding):
    text = "\r".join(["全国学籍号,姓名,学校标识码,清点日期,是否在校", *["G1,王小明,33,20260901,是"] * rows])

    with pytest.raises(ContractError, match="CR alone"):
        read(write(tmp_path, text, encoding=encoding))


def test_bad_bytes_under_a_chinese_header_cost_their_row_only(tmp_path):
    path = tmp_path / "in_school.csv"
    good = "G{n},王小明,33,20260901,是\n"
    path.write_bytes(
        "全国学籍号,姓名,学校标识码,清点日期,是否在校\n".encode()
        + good.format(n=1).encode()
        + b"G2,\xff\xfe,33,20260901,1\n"
        + good.format(n=3).encode()
    )

    records, refused, _ = read(path)

    assert set(records) == {1, 3}
    assert refused == {2: "malformed_row"}


def test_private_use_characters_become_what_they_stand_for(tmp_path):
    path = tmp_path / "in_school.csv"
    path.write_bytes(
        "全国学籍号,姓名,学校标识码,清点日期,是否在校\nG1,王".encode("gb18030") + b"\xfe\x59" + b",1,20260901,1\n"
        b"G2,\xfe\x59\xaa\xa1\xfe\x61,1,20260901,1\n"
    )

    records, _, _ = read(path)

    assert records[1][1] == "王\u9fb4"
    assert records[2][1] == "\u9fb4\ue000\u9fb5"  # what stands for nothing else stays


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("G2,too,few", "malformed_row"),
        ("G2,one,33,20260901,1,many", "malformed_row"),
        ("G2,nul\0,33,20260901,1", "malformed_row"),
        ('G2,"never closed,33,20260901,1', "malformed_row"),
        ('"G2","never closed,"33","20260901","1"', "malformed_row"),
        ("G2," + "长" * 500_000 + ",33,20260901,1", "too_long"),
    ],
    ids=["few", "many", "nul", "open quote", "open quote among quoted", "too long"],
)
def test_a_broken_row_costs_itself_only(tmp_path, broken, rule):
    text = f"{HEADER}\nG1,王,33,20260901,1\n{broken}\nG3,李,33,20260901,1\n" + '"G4","赵","33","20260901","1"\n'

    records, refused, _ = read(write(tmp_path, text))

    assert records == {1: ("G1", "王", "1"), 3: ("G3", "李", "1"), 4: ("G4", "赵", "1")}
    assert refused == {2: rule}


def test_a_cell_may_run_over_lines(tmp_path):
    text = f'{HEADER}\nG1,"王\n小""明",33,20260901,1\nG2,李,33,20260901,1\n'

    records, refused, _ = read(write(tmp_path, text))

    assert records == {1: ("G1", '王\n小"明', "1"), 2: ("G2", "李", "1")}
    assert refused == {}


def test_a_mark_inside_an_unquoted_cell_is_a_character(tmp_path):
    text = f'{HEADER}\nG1,王"小"明,33,20260901,1\nG2,李"四,33,20260901,1\n'

    records, refused, _ = read(write(tmp_path, text))

    assert records == {1: ("G1", '王"小"明', "1"), 2: ("G2", '李"四', "1")}
    assert refused == {}


def test_separators_inside_quotes_do_not_count(tmp_path):
    records, refused, _ = read(write(tmp_path, f'{HEADER}\nG1,"王,小,明",33,20260901,1\n'))

    assert records == {1: ("G1", "王,小,明", "1")}
    assert refused == {}


def test_a_return_inside_a_line_is_a_character_of_its_cell(tmp_path):
    text = (
        f'{HEADER}\nG1,王\r明,33,20260901,1\n\rG2,李,33,20260901,1\r\n"G3"\rx,赵,33,20260901,1\nG4,孙\r,33,20260901\n'
    )

    records, refused, _ = read(write(tmp_path, text))

    assert records == {1: ("G1", "王\r明", "1"), 2: ("\rG2", "李", "1"), 3: ("G3\rx", "赵", "1")}
    assert refused == {4: "malformed_row"}


def test_all_returns_before_a_line_end_belong_to_it(tmp_path):
    records, refused, _ = read(
        write(tmp_path, f"{HEADER}\r\r\nG1,王,33,20260901,1\r\r\n\r\r\nG2,李,33,20260901,1\r\r\n")
    )

    assert records == {1: ("G1", "王", "1"), 2: ("G2", "李", "1")}
    assert refused == {}


def test_the_mark_of_another_file_inside_a_file_belongs_to_its_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 30)

    records, _, _ = read(write(tmp_path, f"{HEADER}\n" + "\ufeffG1,王,33,20260901,1\n" * 9))

    assert [record[0] for record in records.values()] == ["\ufeffG1"] * 9


@pytest.mark.parametrize("name", ["in_school.csv", "in_school.csv.gz"])
def test_a_bad_row_in_a_long_file_of_gb18030_costs_itself_only(tmp_path, name):
    header, row = (
        "全国学籍号,姓名,学校标识码,清点日期,是否在校\n".encode("gb18030"),
        "G1,王小䶮,33,20260901,是\n".encode("gb18030"),
    )
    rows = [row] * 60_000
    rows[40_000] = b"G2,\xff,33,20260901,1\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(header + b"".join(rows)) if name.endswith("gz") else header + b"".join(rows))

    records, refused, _ = read(path)

    assert refused == {40_001: "malformed_row"}
    assert set(records.values()) == {("G1", "王小䶮", "是")}
    assert len(records) == 59_999


def test_blank_lines_are_no_rows(tmp_path):
    records, _, _ = read(write(tmp_path, f"{HEADER}\n\nG1,王,33,20260901,1\n\r\n\nG2,李,33,20260901,1\n\n"))

    assert set(records) == {1, 2}


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    with pytest.raises(ContractError, match="empty"):
        read(write(tmp_path, text))


def test_a_torn_gzip_is_refused(tmp_path):
    path = write(tmp_path, f"{HEADER}\n" + "G1,王,33,20260901,1\n" * 5000, name="in_school.csv.gz")
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(ContractError, match="damaged"):
        read(path)


NEWLINES_AND_MARKS = st.text(alphabet=st.sampled_from('ab,"\n\r王\t|'), max_size=12)


@given(
    cells=st.lists(st.tuples(NEWLINES_AND_MARKS, NEWLINES_AND_MARKS), min_size=1, max_size=20),
    block=st.integers(20, 400),
)
def test_well_quoted_files_read_back_whatever_the_block_size(tmp_path_factory, cells, block):
    # Arrange: a writer that quotes everything, and blocks so small that records straddle them.
    path = tmp_path_factory.mktemp("csv") / "in_school.csv"
    quoted = ['"' + a.replace('"', '""') + '"' for a, _ in cells]
    rows = [f'"G{n}",{a},"33","20260901","1"' for n, a in enumerate(quoted)]
    path.write_bytes(("\n".join([HEADER, *rows]) + "\n").encode())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_file, "BLOCK_BYTES", block)
        records, refused, _ = read(path)

    assert refused == {}
    assert [record[0] for record in records.values()] == [f"G{n}" for n in range(len(cells))]
    assert [record[1] or "" for record in records.values()] == [a for a, _ in cells]
