"""The worker: one thread, results on the thread that polls, nothing after it was cancelled or stopped."""

from __future__ import annotations

import threading
import weakref

import pytest
from KPrismSlicerLib.Worker import Worker
from logic_samples import wait_until


@pytest.fixture
def worker():
    made = Worker()
    yield made
    made.stop(5)


@pytest.fixture
def results():
    return []


def refuse(error: Exception) -> None:
    raise error


def test_a_result_is_delivered_where_it_is_polled(worker, results):
    worker.submit(lambda: 7, lambda value: results.append((value, threading.get_ident())), refuse)
    assert worker.wait(5)
    assert results == [(7, threading.get_ident())]


def test_nothing_is_delivered_without_a_poll(worker, results):
    ended = threading.Event()
    worker.submit(ended.set, results.append, refuse)
    assert ended.wait(5)
    assert results == []


def test_all_jobs_run_on_one_thread_that_is_not_the_caller_s(worker, results):
    for _ in range(3):
        worker.submit(threading.get_ident, results.append, refuse)
    assert worker.wait(5)
    assert len(set(results)) == 1
    assert threading.get_ident() not in results


def test_jobs_run_in_the_order_given(worker, results):
    for number in range(20):
        worker.submit(lambda number=number: number, results.append, refuse)
    assert worker.wait(5)
    assert results == list(range(20))


def test_an_error_is_delivered_as_such(worker, results):
    worker.submit(lambda: 1 / 0, refuse, results.append)
    assert worker.wait(5)
    assert isinstance(results[0], ZeroDivisionError)


def test_an_error_does_not_end_the_thread(worker, results):
    worker.submit(lambda: 1 / 0, refuse, lambda _error: None)
    worker.submit(lambda: 7, results.append, refuse)
    assert worker.wait(5)
    assert results == [7]


def test_the_result_of_a_cancelled_job_is_dropped(worker, results):
    go = threading.Event()
    job = worker.submit(lambda: go.wait(5), results.append, refuse)
    job.cancel()
    go.set()
    assert worker.wait(5)
    assert results == []


def test_a_job_cancelled_before_it_began_does_not_run(worker, results):
    go = threading.Event()
    worker.submit(lambda: go.wait(5), lambda _value: None, refuse)
    worker.submit(lambda: results.append(1), lambda _value: None, refuse).cancel()
    go.set()
    assert worker.wait(5)
    assert results == []


def test_poll_says_whether_work_remains(worker):
    go = threading.Event()
    worker.submit(lambda: go.wait(5), lambda _value: None, refuse)
    assert worker.poll()
    go.set()
    assert worker.wait(5)
    assert not worker.poll()


def test_a_job_may_be_submitted_while_another_is_delivered(worker, results):
    worker.submit(lambda: 1, lambda value: worker.submit(lambda: value + 1, results.append, refuse), refuse)
    assert worker.wait(5)
    assert results == [2]


def test_stopping_ends_the_thread(worker):
    worker.submit(lambda: None, lambda _value: None, refuse)
    assert worker.stop(5)


def test_stopping_during_a_job_delivers_nothing(worker, results):
    go, begun = threading.Event(), threading.Event()
    worker.submit(lambda: (begun.set(), go.wait(5)), results.append, refuse)
    worker.submit(lambda: 7, results.append, refuse)
    assert begun.wait(5)
    assert not worker.stop(0)
    go.set()
    assert worker.stop(5)
    assert not worker.poll()
    assert results == []


def test_a_stopped_worker_takes_no_job(worker):
    worker.stop()
    with pytest.raises(RuntimeError):
        worker.submit(lambda: None, lambda _value: None, refuse)


def test_a_finished_job_is_not_kept_until_the_next(worker):
    class Large:
        pass

    held = Large()
    gone = weakref.ref(held)
    worker.submit(lambda held=held: None, lambda _value: None, refuse)
    del held
    assert worker.wait(5)
    assert wait_until(lambda: gone() is None)
