import pytest
import torch

from deepkm.training.optimizers import make_optimizer

OPTIONS = [
    {"name": "adam"},
    {"name": "sgd"},
    {"name": "sgd", "momentum": 0.9},
    {"name": "sgd", "momentum": 0.9, "weight_decay": 0.1},
]


def tensors(dtype):
    random = torch.Generator().manual_seed(0)
    draws = {name: torch.randn(2, n, 3, generator=random, dtype=dtype) for name, n in (("a", 4), ("b", 1), ("idle", 2))}
    return {name: tensor.requires_grad_() for name, tensor in draws.items()}


def train(parameters, optimizer):
    """Take some steps; one tensor never has a gradient."""
    for step in range(5):
        optimizer.zero_grad()
        (parameters["a"].square().sum() * (step + 1) + parameters["b"].sin().sum()).backward()
        optimizer.step()
    return parameters


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_steps_are_those_of_pytorch(options, dtype):
    ours = tensors(dtype)
    optimizer = make_optimizer(ours, learning_rate=0.1, **options)
    train(ours, optimizer)
    theirs = tensors(dtype)
    rest = {name: value for name, value in options.items() if name != "name"}
    known = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[options["name"]]
    train(theirs, known(theirs.values(), lr=0.1, fused=True, **rest))
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name])
    assert torch.equal(ours["idle"], tensors(dtype)["idle"])
    assert set(optimizer.moments) == {"a", "b"}


def test_another_optimizer_is_not_replaced_in_silence():
    with pytest.raises(ValueError, match=r"optimizer='adamw' should be 'adam' or 'sgd'"):
        make_optimizer(tensors(torch.float32), learning_rate=0.1, name="adamw")


def test_nothing_to_train():
    with pytest.raises(ValueError, match="epochs should be 0 without an autoencoder or trained centers"):
        make_optimizer({}, learning_rate=0.1)


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[2]], ids=str)
def test_moments_that_a_unit_without_gradients_leaves_become_zero(options, flushed):
    """Else each costs the processor a hundred times a normal one. How the caller has set it is left."""
    torch.set_flush_denormal(flushed)
    try:
        weight = torch.ones(3, requires_grad=True)
        weight.grad = torch.zeros(3)
        optimizer = make_optimizer({"weight": weight}, learning_rate=0.1, **options)
        optimizer.step()
        moment = optimizer.moments["weight"]["exp_avg" if options["name"] == "adam" else "momentum_buffer"]
        moment.fill_(2e-38)  # the smallest normal number is 1.2e-38
        for _ in range(10):
            optimizer.step()
        assert not moment.any()
        assert (torch.tensor(1e-39).mul(1).item() == 0) == flushed
    finally:
        torch.set_flush_denormal(False)
