"""The queue of acts: one at a time, in order, none lost, and dropped ones without a trace."""

from __future__ import annotations

import threading

import pytest
from KPrismSlicerLib.ActQueue import Act, ActQueue
from KPrismSlicerLib.Worker import Worker
from logic_samples import wait_until


@pytest.fixture
def told():
    return {"errors": [], "busy": []}


@pytest.fixture
def queue(told):
    worker = Worker()
    yield ActQueue(worker, told["errors"].append, told["busy"].append)
    worker.stop(5)


@pytest.fixture
def trace():
    return []


def run(queue: ActQueue) -> None:
    assert wait_until(lambda: not queue.poll())


def noting(trace: list, name: str, work=lambda: None, owner=None) -> Act:
    """An act that notes its beginning, has something done, and notes the answer."""

    def steps(_act):
        trace.append(f"{name} begins")
        answer = yield work
        trace.append((name, answer))

    return Act(name, steps, owner)


def test_the_first_step_is_done_at_once(queue, trace):
    queue.add(noting(trace, "a"))
    assert trace == ["a begins"]


def test_an_act_without_work_is_done_at_once(queue, trace):
    def steps(_act):
        trace.append("done")
        yield from ()

    queue.add(Act("quick", steps))
    assert trace == ["done"]
    assert not queue.busy


def test_an_act_gets_the_worker_s_answer(queue, trace):
    queue.add(noting(trace, "a", lambda: 7))
    run(queue)
    assert trace[-1] == ("a", 7)


def test_the_next_act_begins_when_the_one_before_is_done(queue, trace):
    queue.add(noting(trace, "a", lambda: 1))
    queue.add(noting(trace, "b", lambda: 2))
    run(queue)
    assert trace == ["a begins", ("a", 1), "b begins", ("b", 2)]


def test_an_error_of_the_worker_can_be_caught_by_the_act(queue, trace):
    def steps(_act):
        try:
            yield lambda: 1 / 0
        except ZeroDivisionError:
            trace.append("caught")

    queue.add(Act("a", steps))
    run(queue)
    assert trace == ["caught"]


def test_an_error_is_told_and_the_next_act_begins(queue, trace, told):
    queue.add(noting(trace, "a", lambda: 1 / 0))
    queue.add(noting(trace, "b", lambda: 2))
    run(queue)
    assert isinstance(told["errors"][0], ZeroDivisionError)
    assert trace[-1] == ("b", 2)


def test_a_pause_lasts_until_the_next_poll(queue, trace):
    def steps(_act):
        trace.append(1)
        yield None
        trace.append(2)
        yield None
        trace.append(3)

    queue.add(Act("a", steps))
    assert trace == [1]
    queue.poll()
    assert trace == [1, 2]
    assert queue.busy
    queue.poll()
    assert trace == [1, 2, 3]


def test_dropping_an_owner_takes_its_acts_only(queue, trace):
    mine, other = object(), object()
    queue.add(noting(trace, "a", owner=other))
    queue.add(noting(trace, "b", owner=mine))
    queue.add(noting(trace, "c", owner=other))
    queue.drop(mine)
    run(queue)
    assert "b begins" not in trace
    assert ("c", None) in trace


def test_the_answer_for_a_dropped_act_is_dropped(queue, trace):
    go, owner = threading.Event(), object()
    queue.add(noting(trace, "a", lambda: go.wait(5), owner))
    queue.drop(owner)
    go.set()
    run(queue)
    assert trace == ["a begins"]


def test_a_dropped_act_cleans_up(queue, trace):
    owner = object()

    def steps(_act):
        try:
            yield lambda: None
        finally:
            trace.append("cleaned")

    queue.add(Act("a", steps, owner))
    queue.drop(owner)
    assert trace == ["cleaned"]


def test_an_act_may_drop_itself(queue, trace):
    owner = object()

    def steps(_act):
        queue.drop(owner)
        yield lambda: trace.append("worked")
        trace.append("went on")

    queue.add(Act("a", steps, owner))
    run(queue)
    assert trace == []
    assert not queue.busy


def test_an_act_may_add_another(queue, trace):
    def steps(_act):
        queue.add(noting(trace, "b"))
        trace.append("a goes on")
        yield from ()

    queue.add(Act("a", steps))
    run(queue)
    assert trace == ["a goes on", "b begins", ("b", None)]


def test_busy_is_told_once_for_a_row_of_acts(queue, trace, told):
    queue.add(noting(trace, "a"))
    queue.add(noting(trace, "b"))
    run(queue)
    assert told["busy"] == [True, False]


def test_clearing_forgets_everything(queue, trace):
    queue.add(noting(trace, "a"))
    queue.add(noting(trace, "b"))
    queue.clear()
    run(queue)
    assert trace == ["a begins"]
    assert queue.acts == ()
