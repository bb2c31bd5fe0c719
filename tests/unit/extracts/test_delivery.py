"""What came for a date: which files count, what is refused before anything is read, and what is left alone."""

import datetime as dt
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from kcb_pipeline.errors import ContractError, UsageError
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.delivery import find_delivery, keep_delivery, kept_delivery, told_headers, told_names

CHINESE = {name: source.chinese for name, source in sources().items()}


def shown(delivery, source):
    return [file.shown for file in delivery.files[source]]


@pytest.mark.parametrize("source", CHINESE)
@pytest.mark.parametrize("extension", ["csv", "csv.gz", "xlsx", "parquet"])
def test_a_source_may_come_under_its_name_or_its_chinese_name(desk, source, extension):
    for name in (source, CHINESE[source]):
        path = desk.put(f"{name}.{extension}", "some bytes")

        delivery = desk.find(strict=True)

        assert shown(delivery, source) == [f"{name}.{extension}"]
        assert delivery.strays == ()
        path.unlink()


@pytest.mark.parametrize("folder", ["absences", "缺勤"])
def test_a_folder_of_files_is_one_source(desk, folder):
    for name in ("一中.csv", "b.csv.gz", "c.xlsx", "d.parquet", "deeper/e.csv"):
        desk.put(f"{folder}/{name}", "some bytes")

    delivery = desk.find(strict=True)

    assert set(shown(delivery, "absences")) == {
        f"{folder}/{name}" for name in ("一中.csv", "b.csv.gz", "c.xlsx", "d.parquet", "deeper/e.csv")
    }


def test_the_kind_of_a_file_in_a_folder_may_be_in_capitals(desk):
    desk.put("absences/一中.CSV", "student_number,absent_on,kind\nG1,20261118,无故\n")

    assert desk.land("absences").landed == 1


def test_the_files_of_a_folder_come_in_byte_order_of_their_paths(desk):
    names = [
        "10.csv",
        "2.csv",
        "B.csv",
        "a.csv",
        "a/1.csv",
        "a-1.csv",
        "é.csv",
        "一中.csv",
        "\U00020087.csv",
        "\uffe5.csv",
    ]
    for name in names:
        desk.put(f"absences/{name}", "some bytes")

    assert shown(desk.find(), "absences") == [
        f"absences/{name}" for name in sorted(names, key=lambda name: name.encode())
    ]


def test_an_optional_source_that_did_not_come_is_named_missing(desk):
    desk.put("absences.csv", "some bytes")

    delivery = desk.find()

    assert set(delivery.missing) == set(CHINESE) - {"population", "student_registry", "absences"}


@pytest.mark.parametrize("source", ["population", "student_registry"])
def test_a_required_source_that_did_not_come_stops_the_night(desk, source, on):
    desk.find()
    (desk.extracts / f"{source}.csv").unlink()

    with pytest.raises(ContractError) as error:
        find_delivery(desk.extracts, on)

    assert source in error.value.file
    assert source in error.value.expected
    assert CHINESE[source] in error.value.expected


def found_instead_of_population(desk, on, name):
    """What the refusal of a delivery says it found, with another file where the population should be."""
    desk.find()
    (desk.extracts / "population.csv").unlink()
    desk.put(name, "some bytes")
    with pytest.raises(ContractError) as error:
        find_delivery(desk.extracts, on)
    return error.value.found


@pytest.mark.parametrize(
    "name",
    [
        "Population.CSV",
        "POPULATION.xlsx",
        "population.xls",
        "population.txt",
        "常住人口.et",
        "population .csv",
        "Population/1.csv",
    ],
)
def test_a_file_that_was_meant_for_a_required_source_is_named_with_what_is_expected(desk, on, name):
    found = found_instead_of_population(desk, on, name)

    assert name.partition("/")[0] in found
    assert "population or 常住人口" in found
    assert ".csv, .csv.gz, .xlsx, .parquet" in found


@pytest.mark.parametrize("name", ["张三.xls", "population of 张三.csv", "population-old.csv"])
def test_no_other_file_is_named_in_its_place(desk, on, name):
    assert found_instead_of_population(desk, on, name) == "no such file or folder"


def test_a_date_without_a_folder_is_a_question_that_cannot_be_answered(tmp_path, on):
    with pytest.raises(UsageError, match="2026-11-20"):
        find_delivery(tmp_path / "2026-11-20", on)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("absences.csv", "absences/a.csv"),
        ("absences.csv", "缺勤.csv"),
        ("absences.csv", "缺勤/a.csv"),
        ("缺勤.csv", "缺勤/a.csv"),
        ("absences/a.csv", "缺勤/a.csv"),
        ("absences.csv", "absences.xlsx"),
        ("absences.csv", "absences.csv.gz"),
    ],
)
def test_a_source_that_stands_twice_is_an_error_that_names_both(desk, first, second):
    desk.put(first, "some bytes")
    desk.put(second, "other bytes")

    with pytest.raises(ContractError) as error:
        desk.find()

    assert error.value.source == "absences"
    assert first.split("/")[0] in error.value.file
    assert second.split("/")[0] in error.value.file


@pytest.mark.parametrize("name", ["absences.csv", "absences.xlsx", "absences.parquet", "absences/a.csv"])
def test_an_empty_file_stops_the_night(desk, name):
    desk.put(name, "")

    with pytest.raises(ContractError, match="empty") as error:
        desk.find()

    assert error.value.file == name


def test_a_folder_without_a_file_stops_the_night(desk):
    (desk.extracts / "absences").mkdir()

    with pytest.raises(ContractError) as error:
        desk.find()

    assert "absences" in error.value.file


# -- digests -------------------------------------------------------------------------------------------------------

RIGHT = hashlib.sha256(b"some bytes").hexdigest()


@pytest.mark.parametrize(
    "sent", [RIGHT, RIGHT.upper(), f"{RIGHT}  absences.csv\n", f"{RIGHT} *absences.csv\r\n", f"\ufeff{RIGHT}"]
)
@pytest.mark.parametrize("name", ["absences.csv", "缺勤/一中.csv"])
def test_a_right_digest_is_accepted(desk, name, sent):
    desk.put(name, "some bytes")
    desk.put(f"{name}.sha256", sent)

    delivery = desk.find(strict=True)

    assert [file.sha256 for file in delivery.files["absences"]] == [RIGHT]


@pytest.mark.parametrize("name", ["absences.csv", "absences/a.csv"])
def test_a_wrong_digest_names_the_file_what_was_expected_and_what_was_found(desk, name):
    wrong = hashlib.sha256(b"what was sent").hexdigest()
    desk.put(name, "some bytes")
    desk.put(f"{name}.sha256", wrong)

    with pytest.raises(ContractError) as error:
        desk.find()

    assert error.value.file == name
    assert wrong in error.value.expected
    assert RIGHT in error.value.found


@pytest.mark.parametrize("sent", ["", "no digest", RIGHT[:-1]])
def test_a_digest_file_without_a_digest_is_refused(desk, sent):
    desk.put("absences.csv", "some bytes")
    desk.put("absences.csv.sha256", sent)

    with pytest.raises(ContractError, match=r"absences\.csv\.sha256"):
        desk.find()


# -- what is left alone, what leads out ----------------------------------------------------------------------------


def test_hidden_files_are_ignored_and_not_named(desk):
    for name in (
        ".DS_Store",
        ".absences.csv",
        ".git/config",
        "absences/.DS_Store",
        "absences/.tmp/a.csv",
        "absences/.a.csv",
        "~$absences.xlsx",
        "absences/~$乡镇-532936101-某乡.xlsx",
    ):
        desk.put(name, "some bytes")
    desk.put("absences/a.csv", "some bytes")

    delivery = desk.find(strict=True)

    assert shown(delivery, "absences") == ["absences/a.csv"]
    assert delivery.strays == ()


STRAYS = [
    "readme.txt",
    "absences",
    "absences.txt",
    "absence.csv",
    "absences.csv.bak",
    "说明/a.csv",
    "Absences.csv",
    "absences/说明.txt",
]


@pytest.mark.parametrize("stray", STRAYS)
def test_other_files_are_named_and_left_alone(desk, stray):
    desk.put(stray, "some bytes")
    if stray.startswith("absences/"):
        desk.put("absences/a.csv", "some bytes")

    delivery = desk.find()

    assert [name.rstrip("/") for name in delivery.strays] == [
        stray if stray.startswith("absences/") else stray.split("/")[0]
    ]


def test_sources_come_in_the_order_of_the_contract_and_strays_in_byte_order_with_folders_marked(desk):
    for name in ("说明/a.csv", "z.txt", "B.txt", "缺勤.csv", "approvals.csv", "residents.csv", "absences.bak"):
        desk.put(name, "some bytes")

    delivery = desk.find()

    assert delivery.strays == ("B.txt", "absences.bak", "z.txt", "说明/")
    assert list(delivery.files) == [name for name in sources() if name in delivery.files]


@pytest.mark.parametrize("stray", STRAYS)
def test_other_files_are_an_error_where_the_caller_is_strict(desk, stray):
    desk.put(stray, "some bytes")
    if stray.startswith("absences/"):
        desk.put("absences/a.csv", "some bytes")

    with pytest.raises(ContractError, match="found 1 other") as error:
        desk.find(strict=True)

    assert stray.rpartition("/")[2] not in str(error.value)  # the name of a file may be the name of a child


@pytest.fixture
def outside(tmp_path):
    """A folder beside the extracts, with a file that nobody sent."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "a.csv").write_text("student_number,absent_on,kind\nG1,20261118,无故\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("absences.csv", "a.csv"),
        ("缺勤.csv", "a.csv"),
        ("absences/a.csv", "a.csv"),
        ("absences", "."),
        ("absences/deeper", "."),
    ],
    ids=["a file", "a file under the Chinese name", "a file of a folder", "a folder", "a folder in a folder"],
)
def test_links_that_lead_out_of_the_folder_are_refused(desk, outside, link, target):
    desk.put("absences/own.csv", "some bytes") if "/" in link else None
    (desk.extracts / link).symlink_to(outside / target, target_is_directory=target == ".")

    with pytest.raises(ContractError, match="link") as error:
        desk.find()

    assert link.removesuffix("deeper") in error.value.file
    assert str(outside) not in str(error.value)


def test_a_relative_link_that_climbs_out_is_refused(desk, outside):
    (desk.extracts / "absences.csv").symlink_to("../../outside/a.csv")

    with pytest.raises(ContractError, match="link"):
        desk.find()


@pytest.mark.parametrize("target", ["gone.csv", "absences.csv"])
def test_a_link_to_nothing_or_to_itself_is_refused(desk, target):
    (desk.extracts / "absences.csv").symlink_to(desk.extracts / target)

    with pytest.raises(ContractError):
        desk.find()


def test_a_link_inside_the_folder_is_a_file_like_any_other(desk):
    desk.put(".store/absences.csv", "some bytes")
    (desk.extracts / "absences.csv").symlink_to(".store/absences.csv")

    assert [file.sha256 for file in desk.find(strict=True).files["absences"]] == [RIGHT]


@pytest.mark.parametrize("target", ["absences.xlsx", "absences"])
def test_the_links_own_name_says_what_it_is(desk, target):
    content = "student_number,absent_on,kind\nG1,20261118,无故\n"
    desk.put(f".store/{target}", content)
    (desk.extracts / "absences.csv").symlink_to(f".store/{target}")

    assert desk.land("absences").landed == 1


SECRET = "5" * 64


@pytest.mark.parametrize("name", ["absences.csv.sha256", "SHA256SUMS"])
def test_a_file_of_digests_that_leads_out_is_refused_and_what_it_says_is_not_repeated(desk, outside, name):
    (outside / "a.key").write_text(f"{SECRET}  absences.csv\n", encoding="ascii")
    desk.put("absences.csv", "some bytes")
    (desk.extracts / name).symlink_to(outside / "a.key")

    with pytest.raises(ContractError, match="a link out of it") as error:
        desk.find()

    assert error.value.file == name
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    "path", ["../outside/a.csv", "absences/../../outside/a.csv", "/etc/hostname", "..\\outside\\a.csv"]
)
def test_a_manifest_that_lists_what_lies_outside_is_refused(desk, outside, path):
    desk.put("SHA256SUMS", [f"{RIGHT}  {path}"])

    with pytest.raises(ContractError, match="a path that leads out"):
        desk.find()


@pytest.mark.parametrize("name", ["absences.csv.sha256", "SHA256SUMS"])
def test_a_file_of_digests_that_never_ends_is_refused(desk, name):
    desk.put("absences.csv", "some bytes")
    with (desk.extracts / name).open("wb") as file:
        file.write(f"{RIGHT}  absences.csv\n".encode())
        file.truncate(1 << 40)

    with pytest.raises(ContractError, match="at most 8 MiB of digests"):
        desk.find()


def test_a_date_that_is_a_link_out_of_the_extracts_is_refused(desk, outside):
    desk.put("absences.csv", "some bytes")
    desk.find()
    place = desk.extracts.parent / "linked" / desk.extracts.name
    place.parent.mkdir()
    place.symlink_to(desk.extracts, target_is_directory=True)

    with pytest.raises(ContractError, match="a link out of it"):
        find_delivery(place, desk.workspace.comparison_date)


@pytest.mark.parametrize("grows", ["size", "time"])
def test_a_file_that_is_written_to_while_its_digest_is_taken_stops_the_night(desk, on, grows):
    path = desk.put("absences.csv", "some bytes")
    desk.find()

    def digest(read):
        sha256 = hashlib.sha256(read.read_bytes()).hexdigest()
        if read.name == path.name:
            path.write_bytes(b"some bytes" + (b"!" if grows == "size" else b""))
            os.utime(path, ns=(0, read.stat().st_mtime_ns + (grows == "time")))
        return sha256

    with pytest.raises(ContractError, match=r"absences\.csv: expected a file that is complete; found one still being"):
        find_delivery(desk.extracts, on, digest=digest)


@pytest.mark.parametrize("name", ["absences.csv.sha256", "SHA256SUMS"])
@pytest.mark.parametrize("what", ["a link to nothing", "a link to itself", "a pipe", "a folder"])
def test_digests_that_cannot_be_read_are_not_taken_for_none(desk, name, what):
    desk.put("absences.csv", "some bytes")
    path = desk.extracts / name
    match what:
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case _:
            path.symlink_to("gone" if what == "a link to nothing" else name)

    with pytest.raises(ContractError, match="a file of digests"):
        desk.find()


@pytest.mark.parametrize("name", [b"\xd1\xa7\xbc\xae.csv", b"absences/\xbc\xae.csv", b"absences/\xbc\xae/1.csv"])
def test_a_name_in_another_encoding_is_refused_and_not_repeated(desk, name):
    path = os.path.join(os.fsencode(desk.extracts), name)  # noqa: PTH118
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
    Path(os.fsdecode(path)).write_text("some bytes")

    with pytest.raises(ContractError, match="expected names of files in UTF-8") as error:
        desk.find()
    str(error.value).encode()


def test_a_stray_in_another_encoding_is_named_as_far_as_it_can_be(desk):
    desk.put("absences.csv", "some bytes")
    Path(os.fsdecode(os.fsencode(desk.extracts) + b"/\xd1.pdf")).write_bytes(b"%PDF")

    assert desk.find().strays == ("\ufffd.pdf",)


def test_a_pipe_is_no_file(desk):
    os.mkfifo(desk.extracts / "absences.csv")

    with pytest.raises(ContractError):
        desk.find()


# -- the digest over all inputs, and what is looked at twice -------------------------------------------------------


def test_the_inputs_digest_says_the_same_of_the_same_content(desk, tmp_path, on):
    desk.put("absences/a.csv", "some bytes")
    first = desk.find().inputs_digest
    copy = tmp_path / "copy"
    shutil.copytree(desk.extracts, copy)
    desk.put("readme.txt", "a stray changes nothing")
    desk.put(".hidden", "nor does a hidden file")

    assert desk.find().inputs_digest == first
    assert find_delivery(copy, on).inputs_digest == first


@pytest.mark.parametrize(
    "change",
    [
        lambda desk: desk.put("absences/a.csv", "other bytes"),
        lambda desk: desk.put("absences/b.csv", "more bytes"),
        lambda desk: (desk.extracts / "absences/a.csv").rename(desk.extracts / "absences/c.csv"),
        lambda desk: desk.put("in_school.csv", "some bytes"),
        lambda desk: shutil.rmtree(desk.extracts / "absences"),
    ],
    ids=["a byte", "a file more", "a name", "a source more", "a source less"],
)
def test_the_inputs_digest_changes_with_what_came(desk, change):
    desk.put("absences/a.csv", "some bytes")
    first = desk.find().inputs_digest

    change(desk)

    assert desk.find().inputs_digest != first


def test_a_kept_delivery_is_found_again(desk, on):
    desk.put("absences/a.csv", "some bytes")
    delivery = desk.find()

    with desk.workspace.connect() as connection:
        keep_delivery(connection, delivery)
        again = kept_delivery(connection, desk.extracts, on)

    assert again.files == delivery.files
    assert again.inputs_digest == delivery.inputs_digest
    assert again.comparison_date == dt.date(2026, 11, 20)


@pytest.mark.parametrize("change", ["of another size", "of another time", "gone", "a folder"])
def test_a_kept_delivery_is_refused_where_a_file_is_no_longer_what_it_was(desk, on, change):
    path = desk.put("absences.csv", "some bytes")
    modified = path.stat().st_mtime_ns
    with desk.workspace.connect() as connection:
        keep_delivery(connection, desk.find())
        match change:
            case "of another size":
                path.write_text("some more bytes")
                os.utime(path, ns=(modified, modified))
            case "of another time":
                os.utime(path, ns=(modified, modified + 1))
            case _:
                path.unlink()
        if change == "a folder":
            path.mkdir()

        with pytest.raises(ContractError, match=r"absences\.csv"):
            kept_delivery(connection, desk.extracts, on)


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("population.csv", "population.csv"),
        ("population/part-0001.parquet", "population/part-0001.parquet"),
        ("核查结果/3/12.csv.gz", "核查结果/3/12.csv.gz"),
        ("核查结果/乡镇-532901101-幸福镇.xlsx", "核查结果/乡镇-532901101-….xlsx"),
        ("核查结果/学校-3153290101-幸福小学 张三.xlsx", "核查结果/学校-3153290101-….xlsx"),
        ("核查结果/张三/乡镇-532901101-幸福镇.xlsx", "核查结果/乡镇-532901101-….xlsx"),
        ("核查结果/张三.xlsx", "核查结果/ file 1 of 1 (.xlsx)"),
        ("核查结果/张三.XLSX", "核查结果/ file 1 of 1 (.xlsx)"),
        ("核查结果/zhangsan.csv", "核查结果/ file 1 of 1 (.csv)"),
        ("核查结果/张三/1.csv", "核查结果/ file 1 of 1 (.csv)"),
        ("核查结果/13800000000.csv", "核查结果/ file 1 of 1 (.csv)"),
        ("核查结果/110101/20150101/0010.csv", "核查结果/ file 1 of 1 (.csv)"),
    ],
)
def test_messages_call_a_file_by_a_name_that_can_be_nobodys(shown, told):
    assert told_names([shown]) == [told]


def listing(*paths):
    return [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in paths]


@pytest.mark.parametrize(
    "header", ["PCSMC", "X_1", "备注", "序号", "派出所代码", "学生联系电话", "更新时间2", "是否有效"]
)
def test_a_column_that_nobody_knows_is_named_where_its_header_is_made_of_the_words_of_headers(header):
    assert told_headers([header]) == [header]


@pytest.mark.parametrize(
    "header",
    ["张三", "王小明备注", "买买提·艾力", "53290120150312001X", "13800000001", "E12345678", "云溪镇1组", "", " "],
)
def test_a_header_that_may_be_somebodys_is_counted(header):
    assert told_headers([header, "备注", header]) == ["备注", "2 other"]


def test_a_manifest_says_what_the_delivery_is(desk):
    desk.find()
    sent = sorted(desk.extracts.glob("*.csv"))
    desk.put("SHA256SUMS", ["# sent by the county", *listing(*sent)])
    assert desk.find().strays == ()

    desk.put("population.csv", desk.stand_ins["population"].replace("王小明", "王大明"))
    with pytest.raises(ContractError, match=r"population\.csv: expected sha-256 [0-9a-f]{64}, as SHA256SUMS says"):
        desk.find()


def test_a_file_of_the_manifest_that_has_not_come_stops_the_delivery(desk):
    desk.find()
    sent = sorted(desk.extracts.glob("*.csv"))
    desk.put("SHA256SUMS", [*listing(*sent), f"{'0' * 64} *./in_school.csv"])

    with pytest.raises(ContractError, match=r"SHA256SUMS, file 3: expected the file it lists; found no such file"):
        desk.find()


def test_a_manifest_that_is_none_is_refused_without_repeating_it(desk):
    desk.put("SHA256SUMS", ["王小明,533123"])

    with pytest.raises(ContractError, match=r"SHA256SUMS, line 1: expected a sha-256 digest") as refused:
        desk.find()
    assert "王小明" not in str(refused.value)
