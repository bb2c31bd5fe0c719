"""Work given to helper programs comes back in the order it was given in, errors too."""

import os
import signal
import subprocess

import pytest

from kcb_pipeline import processes
from kcb_pipeline.processes import shared_out

MANY = range(3 * processes.WORTH_A_HELPER)


def number_and_process(number):
    return number, os.getpid()


def fail_at_seven(number):
    if number == 7:
        message = "number 7"
        raise ValueError(message)
    return number


def end_at_seven(number):
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.fixture(autouse=True)
def three_cores(monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 3)


def test_many_items_are_done_by_as_many_helpers_as_there_are_cores_and_come_in_their_order():
    done = list(shared_out(number_and_process, MANY))

    assert [number for number, _ in done] == list(MANY)
    helpers = {process for _, process in done}
    assert len(helpers) == 3
    assert os.getpid() not in helpers


def test_few_items_are_done_here():
    assert {process for _, process in shared_out(number_and_process, MANY[:5])} == {os.getpid()}


def test_an_error_of_a_helper_comes_after_the_results_before_it_and_is_the_same():
    done = []
    with pytest.raises(ValueError, match="number 7"):
        done.extend(shared_out(fail_at_seven, MANY))

    results = shared_out(fail_at_seven, MANY)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="number 7"):
        next(results)


def test_a_helper_that_ends_is_an_error_and_nobody_waits_for_it():
    with pytest.raises(ChildProcessError):
        list(shared_out(end_at_seven, MANY))


def test_helpers_end_with_whoever_wanted_them(monkeypatch):
    begun = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: begun.append(popen(*args, **kwargs)) or begun[-1])
    results = shared_out(number_and_process, MANY)
    next(results)
    results.close()

    assert len(begun) == 3
    assert all(helper.poll() is not None for helper in begun)
