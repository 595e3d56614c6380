import pytest

from bincam.generated.random_streams import stream


@pytest.mark.parametrize(("other", "name"), [(7, "hat"), (8, "hair"), (7 + 2**32, "hair")])
def test_streams_differ_by_key_and_name(other, name):
    first = stream(7, "hair").integers(2**60, size=4)
    assert (first == stream(7, "hair").integers(2**60, size=4)).all()
    assert (first != stream(other, name).integers(2**60, size=4)).all()
