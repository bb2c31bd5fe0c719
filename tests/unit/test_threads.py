"""Work spread over threads comes back in the order it was given in, errors too."""

import os
import subprocess
import sys
import threading
import time

import pytest

from kcb_pipeline.threads import ahead, cores, pipelined, side_by_side


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


def test_a_pipeline_gives_results_in_the_order_of_its_calls_whichever_is_first():
    def slow_then_fast(number):
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number

    assert list(pipelined(lambda n=n: slow_then_fast(n) for n in range(40))) == list(range(40))
    assert list(pipelined(iter([]))) == []


def test_a_pipeline_holds_few_results_at_a_time():
    found, most = [], 0
    holding = threading.Lock()

    def calls():
        for number in range(60):
            with holding:
                found.append(number)
            yield lambda number=number: number

    for used in pipelined(calls()):
        time.sleep(0.002)
        with holding:
            most = max(most, len(found) - used)

    assert most <= cores() + 4


def test_an_error_of_a_pipeline_comes_after_the_results_before_it_and_before_errors_that_came_first():
    def calls():
        yield lambda: 1
        yield lambda: time.sleep(0.05) or fail(2)
        yield lambda: fail(3)
        fail(4)

    results = pipelined(calls())

    assert next(results) == 1
    with pytest.raises(ValueError, match="number 2"):
        next(results)


def test_an_error_in_finding_the_next_call_comes_after_all_results():
    def calls():
        yield lambda: time.sleep(0.05) or 1
        yield lambda: 2
        fail(3)

    results = pipelined(calls())

    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="number 3"):
        next(results)


def test_a_pipeline_that_is_left_stops_finding_calls():
    found = []

    def calls():
        for number in range(10_000):
            found.append(number)
            yield lambda: None

    results = pipelined(calls())
    next(results)
    results.close()

    assert len(found) < 20


@pytest.mark.parametrize(
    ("set_by_the_machine", "heard"), [(None, f"narenas:{os.cpu_count()}"), ("narenas:7", "narenas:7")]
)
def test_the_allocator_of_polars_has_an_arena_for_each_core_unless_the_machine_says_otherwise(
    set_by_the_machine, heard
):
    environment = os.environ | {"_RJEM_MALLOC_CONF": set_by_the_machine or ""}
    if set_by_the_machine is None:
        del environment["_RJEM_MALLOC_CONF"]
    ask = "import kcb_pipeline, os, sys; assert 'polars' not in sys.modules; print(os.environ['_RJEM_MALLOC_CONF'])"
    said = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == heard
