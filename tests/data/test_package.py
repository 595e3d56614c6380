from __future__ import annotations

import subprocess
import sys

import pytest

import bincam.data


def test_importing_the_room_is_cheap():
    code = "import sys, bincam.data, bincam.cli.data; print(sorted({'torch', 'pandas', 'cv2'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_public_name_is_there_and_no_module_hides_one():
    for _ in range(2):  # the second time all modules are imported
        for name in bincam.data.__all__:
            assert callable(getattr(bincam.data, name)), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bincam.data.nothing
    assert set(dir(bincam.data)) == set(bincam.data.__all__)
