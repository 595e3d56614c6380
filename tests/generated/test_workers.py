import os
import time

import pytest

from bincam.errors import InputError
from bincam.generated.workers import spread


def double(number):
    return 2 * number


def die(number):
    if number == 2:
        os._exit(9)
    time.sleep(0.01)
    return number


def process_of(_):
    return os.getpid()


def test_one_process_is_this_one_in_order():
    assert list(spread(double, [1, 2, 3], workers=1)) == [2, 4, 6]
    assert list(spread(process_of, [1], workers=1)) == [os.getpid()]
    assert list(spread(double, [], workers=1)) == []


def test_several_processes_draw_everything_once():
    assert sorted(spread(double, list(range(20)), workers=2)) == [2 * number for number in range(20)]
    assert os.getpid() not in list(spread(process_of, [1, 2], workers=2))
    assert list(spread(double, [], workers=2)) == []


def test_a_killed_worker_is_told():
    with pytest.raises(InputError, match="a worker process was killed"):
        list(spread(die, [1, 2, 3, 4], workers=2))
