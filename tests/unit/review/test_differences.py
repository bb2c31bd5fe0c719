"""What is marked for a reviewer's eye."""

from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.review.differences import marked, marked_items


def spelled(runs):
    """Differing stretches in brackets."""
    return "".join(f"[{text}]" if differs else text for text, differs in runs)


def both(left, right):
    return tuple(map(spelled, marked(left, right)))


def test_one_wrong_digit_of_eighteen_stands_out():
    assert both("53290120160312001X", "53290120160712001X") == ("53290120160[3]12001X", "53290120160[7]12001X")


def test_a_lost_character_is_marked_where_it_is():
    assert both("王小明", "王明") == ("王[小]明", "王明")


def test_swapped_neighbours_are_marked_on_both_sides():
    assert both("532901", "532910") == ("5329[01]", "5329[10]")


@given(st.text("王小明晓01X", max_size=8), st.text("王小明晓01X", max_size=8))
def test_nothing_is_lost_and_what_is_not_marked_is_the_same(left, right):
    marks = marked(left, right)
    agreeing = ["".join(text for text, differs in runs if not differs) for runs in marks]

    assert tuple("".join(text for text, _ in runs) for runs in marks) == (left, right)
    assert agreeing[0] == agreeing[1]


def test_of_lists_whole_items_are_marked_whatever_their_order():
    left, right = marked_items(["李四", "王五"], ["王五", "赵六"])

    assert (spelled(left), spelled(right)) == ("[李四]、王五", "王五、[赵六]")
