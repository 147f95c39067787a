"""What a worker writes down behind its back is written, in order, one at a time."""

import threading
from concurrent.futures import Future

import pytest
from flask import current_app

from workers.write_behind import beside, hand


def test_without_a_worker_it_is_written_at_once(app):
    written = []
    with app.app_context():
        hand(lambda: written.append(threading.current_thread()))

    assert written == [threading.current_thread()]


def test_a_worker_goes_on_while_it_is_written(app):
    may_write, written = threading.Event(), []

    def write():
        may_write.wait(10)
        written.append(current_app.name)

    with app.app_context(), beside(app):
        hand(write)
        assert not written
        may_write.set()

    assert written == [app.name]


def test_no_more_than_one_is_ahead_and_the_order_is_kept(app):
    written = []
    with app.app_context(), beside(app):
        for number in range(20):
            hand(lambda number=number: written.append(number))
            assert written[:number] == list(range(number))  # all that was handed over before

    assert written == list(range(20))


def test_a_job_whose_time_ends_while_it_waits_has_handed_its_own_over(app):
    may_write, written = threading.Event(), []

    class TimeIsUp(Exception):
        pass

    class Interrupted(Future):
        def result(self, timeout=None):
            raise TimeIsUp

    with app.app_context(), beside(app):
        hand(lambda: may_write.wait(10))
        app.extensions["write_behind"]._last = Interrupted()
        with pytest.raises(TimeIsUp):
            hand(lambda: written.append(1))
        may_write.set()

    assert written == [1]


def test_what_cannot_be_written_is_told_and_does_not_stop_the_next(app, caplog):
    written = []

    def fail():
        raise OSError("no such luck")

    with app.app_context(), beside(app):
        hand(fail)
        hand(lambda: written.append(1))

    assert written == [1]
    assert "outcomes not written" in caplog.text
