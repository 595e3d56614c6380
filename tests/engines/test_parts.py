"""What works that are handed out have in common: the limit to how often a part is begun, and what is found written."""

import pytest

from bincam.engines.parts import TRIES, limited_tries
from bincam.errors import InputError


def test_a_part_that_loses_its_process_each_time_is_given_up(tmp_path):
    file = tmp_path / "state" / "begun-00007"
    killed = [limited_tries(file) for _ in range(TRIES)]
    for one in killed:
        one.__enter__()  # and no end
    with pytest.raises(InputError, match=r"^begun-00007: its process was lost 5 times"), limited_tries(file):
        pytest.fail("begun once more")
    assert not file.exists()  # so that it is tried again once the cause is gone


def test_errors_end_a_part(tmp_path):
    for _ in range(TRIES + 2):
        with pytest.raises(OSError, match="full"), limited_tries(tmp_path / "begun"):
            raise OSError("full")
