"""State that was changed temporarily is restored, also after an error."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bincam.models.borrowing.borrow import channels_last, evaluating, fingerprint, outside_grad_modes, own_rng, unwrap


def test_wrappers_are_opened_in_any_nesting(tiny):
    assert unwrap(tiny) is tiny
    assert unwrap(nn.DataParallel(tiny)) is tiny
    assert unwrap(torch.compile(tiny)) is tiny
    assert unwrap(torch.compile(nn.DataParallel(tiny))) is tiny


class Stubborn(nn.Module):
    def train(self, mode=True):  # noqa: ARG002  # the signature of Module.train
        raise AssertionError("must not be called")


@pytest.mark.parametrize("fails", [False, True])
def test_modes_come_back_one_by_one(fails):
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(), Stubborn()).requires_grad_(False)
    model[0].training = False
    before = [module.training for module in model.modules()]
    try:
        with evaluating(model):
            assert not any(module.training for module in model.modules())
            if fails:
                raise KeyError  # noqa: TRY301  # the error of a user's model
    except KeyError:
        pass
    assert [module.training for module in model.modules()] == before == [True, False, True, True]


@pytest.mark.parametrize("fails", [False, True])
def test_weights_come_back_in_the_order_that_they_had(tiny, fails):
    before = {name: (p.data_ptr(), p.stride()) for name, p in tiny.named_parameters()}
    values = {name: p.detach().clone() for name, p in tiny.named_parameters()}
    learned = fingerprint(tiny)
    try:
        with channels_last(tiny):
            inside = {name: p for name, p in tiny.named_parameters() if p.ndim == 4}
            assert inside
            assert all(p.is_contiguous(memory_format=torch.channels_last) for p in inside.values())
            assert all(torch.equal(p, values[name]) for name, p in inside.items())
            assert fingerprint(tiny) != learned, "what was learned of a model by its weights' places is learned anew"
            if fails:
                raise KeyError  # noqa: TRY301  # the error of a user's model
    except KeyError:
        pass
    assert {name: (p.data_ptr(), p.stride()) for name, p in tiny.named_parameters()} == before


def test_grad_modes_come_back():
    with torch.inference_mode():
        with outside_grad_modes():
            assert not torch.is_inference_mode_enabled()
            assert not torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_random_numbers_drawn_inside_do_not_count():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with pytest.raises(KeyError), own_rng(torch.device("cpu")):  # noqa: PT012
        torch.rand(100)
        raise KeyError
    assert torch.equal(torch.rand(2), expected)
