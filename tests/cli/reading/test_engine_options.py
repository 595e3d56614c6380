"""Options that say who carries out the work: what contradicts itself is refused before a model is opened."""

import pytest

from bincam.cli.reading.engine_options import EngineOptions
from bincam.engines import ProcessEngine, ray_cluster

AUDIT = ("audit", "--model", "nowhere", "--data", "nowhere", "--out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "rey"), "expected local or ray; did you mean 'ray'?"),
        (("--actors", "2"), "--actors is an option of --engine ray"),
        (("--address", "auto", "--engine", "local"), "--address is an option of --engine ray"),
        (("--processes", "0"), "Input should be greater than or equal to 1"),
        (("--processes", "2", "--engine", "ray"), "the processes of Ray are --actors"),
    ],
)
def test_what_contradicts_itself(command, tmp_path, words, said):
    assert said in command(*AUDIT, tmp_path / "audit", *words).mistake


def test_without_ray_a_line_says_how_to_install_it(command, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster.util, "find_spec", lambda _: None)
    assert "pip install 'bincam[ray]'" in command(*AUDIT, tmp_path / "audit", "--engine", "ray").mistake


def test_processes_of_this_machine():
    assert EngineOptions(processes=1).chosen() is None
    assert EngineOptions(processes=3).chosen(readers=2) == ProcessEngine(3)
    assert EngineOptions().chosen() == "auto"
    assert EngineOptions().chosen(readers=0) is None  # who states it has decided for one process


def test_what_is_asked_for(monkeypatch):
    monkeypatch.setattr(ray_cluster.util, "find_spec", lambda _: object())
    engine = EngineOptions("ray", "head:6379", 4, 0.5).chosen()
    assert (engine.address, engine.actors, engine.gpus_per_actor) == ("head:6379", 4, 0.5)
