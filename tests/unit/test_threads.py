"""Work spread over threads comes back in the order it was given in, errors too."""

import threading

import pytest

from kcb_pipeline.threads import ahead, side_by_side


def fail(number):
    message = f"number {number}"
    raise ValueError(message)


def test_calls_side_by_side_answer_in_their_order_and_the_first_error_is_told():
    assert side_by_side([lambda: 1, lambda: 2, lambda: 3]) == [1, 2, 3]
    assert side_by_side([]) == []
    with pytest.raises(ValueError, match="number 1"):
        side_by_side([lambda: 0, lambda: fail(1), lambda: fail(2)])


def test_the_next_result_is_made_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]

    def make():
        for number, event in enumerate(begun):
            event.set()
            yield number

    for number in ahead(make()):
        if number < 2:
            assert begun[number + 1].wait(timeout=30)


def test_an_error_comes_after_the_results_before_it():
    def make():
        yield 1
        fail(2)

    results = ahead(make())

    assert next(results) == 1
    with pytest.raises(ValueError, match="number 2"):
        next(results)
