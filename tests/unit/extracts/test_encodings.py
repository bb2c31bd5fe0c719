"""UTF-8 from what agencies write: whole, strict and repaired, whatever the length of the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.extracts import encodings
from kcb_pipeline.extracts.encodings import is_utf8, utf8
from kcb_pipeline.identity.characters import PRIVATE_USE_REPAIRS


@given(st.lists(st.text(max_size=20), max_size=20), st.integers(1, 60))
def test_gb18030_is_decoded_the_same_however_much_at_a_time(lines, size):
    text = "".join(line.replace("\n", "") + "\n" for line in lines).encode("gb18030", "ignore")
    whole = text.decode("gb18030")
    for private, assigned in PRIVATE_USE_REPAIRS.items():
        whole = whole.replace(private, assigned)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "_DECODED_AT_ONCE", size)
        assert utf8(text, "gb18030") == whole.encode()


def test_private_characters_are_repaired_and_others_stay():
    for private, assigned in PRIVATE_USE_REPAIRS.items():
        assert utf8(f"王{private}\ue000\n".encode("gb18030"), "gb18030") == f"王{assigned}\ue000\n".encode()


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_a_long_text_with_torn_bytes_is_refused(encoding):
    long = "王小明,𠀀,䶮,買買提·艾力\n" * 80_000

    assert utf8(long.encode(encoding), encoding) == long.encode()
    with pytest.raises(UnicodeDecodeError):
        utf8(long.encode(encoding) + b"\xff\n", encoding)


@given(st.binary(max_size=30) | st.text(max_size=10).map(str.encode))
def test_bytes_are_utf8_where_python_says_so(data):
    try:
        data.decode()
        expected = True
    except UnicodeDecodeError:
        expected = False
    assert is_utf8(data) == expected
