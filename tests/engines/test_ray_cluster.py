"""How many processes find room in a cluster, and what is refused before anything starts."""

import socket

import pytest

from bincam.engines import RayEngine, ray_cluster
from bincam.engines.ray_cluster import Share, check_installed, room_for
from bincam.errors import InputError


@pytest.mark.parametrize(
    ("machines", "share", "room"),
    [
        ([{"CPU": 2}], Share(1), 1),
        ([{"CPU": 1}], Share(1), 1),  # a single process may have every CPU
        ([{"CPU": 2}, {"CPU": 2}], Share(1), 3),
        ([{"CPU": 3}, {"CPU": 3}], Share(2), 2),  # three times two CPUs are on no two machines of three
        ([{"CPU": 64, "GPU": 8}], Share(8, 1), 7),  # 63 CPUs
        ([{"CPU": 66, "GPU": 8}], Share(8, 1), 8),
        ([{"CPU": 64, "GPU": 8}, {"CPU": 8}], Share(4, 1), 8),  # the head has no GPU
        ([{"CPU": 64, "GPU": 1}], Share(2, 0.25), 4),
        ([{"CPU": 64, "GPU": 4}], Share(2, 2), 2),
    ],
)
def test_room(machines, share, room):
    assert room_for(machines, share) == room
    assert room_for(machines, share, 1) == 1
    with pytest.raises(InputError, match=rf"^{room + 1} processes of .* room for {room} \("):
        room_for(machines, share, room + 1)


@pytest.mark.parametrize("machines", [[{"CPU": 2}], [{"CPU": 8, "GPU": 1}]])
def test_no_machine_has_what_a_process_takes(machines):
    with pytest.raises(InputError, match=r"^1 process of 4 CPUs and 2 GPU is asked for"):
        room_for(machines, Share(4, 2))


def test_the_machine_has_the_cpus_that_it_may_use(monkeypatch):
    monkeypatch.setattr(ray_cluster.os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert ray_cluster.this_machine(on_gpu=False) == {"CPU": 3}


def test_without_ray_a_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(ray_cluster.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'bincam\[ray\]'"):
        check_installed()
    with pytest.raises(InputError, match=r"pip install 'bincam\[ray\]'"):
        RayEngine()


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(ray_cluster.util, "find_spec", lambda _: object())


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("options", [{"actors": 0}, {"gpus_per_actor": -1}, {"gpus_per_actor": 1.5}])
def test_impossible_numbers(options):
    with pytest.raises(InputError, match=next(iter(options))):
        RayEngine(**options)


def test_the_client_of_ray_is_refused():
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="run the command on a machine of the cluster"):
        ray_cluster.connect("ray://head:10001")


@pytest.mark.parametrize("address", ["local", "head", "head:", ":6379", "head:ray", "head:70000"])
def test_what_is_no_address(address):
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=f"^{address}: expected the address of a Ray cluster, auto or HOST:PORT$"):
        ray_cluster.connect(address)


def test_nothing_listens_at_the_address():
    """Ray alone would try for a quarter of an hour."""
    pytest.importorskip("ray")
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(InputError, match=rf"^no Ray cluster answers at {address}: Connection refused; 'ray start"):
            ray_cluster.connect(address)


@pytest.mark.parametrize(("gpus", "on_gpu"), [(1, False), (0, True)])
def test_gpus_are_of_work_on_gpus(gpus, on_gpu):
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="gpus_per_actor"), RayEngine(gpus_per_actor=gpus).started(on_gpu=on_gpu):
        pass
