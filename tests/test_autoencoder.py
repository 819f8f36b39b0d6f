import math

import pytest
import torch

from deepkm.networks.autoencoder import build_autoencoder, encode_all, reconstruction_error


def build(seeds, n_features=784, n_latent=10, hidden_widths=(500, 500, 2000)):
    return build_autoencoder("mlp", seeds=seeds, n_features=n_features, n_latent=n_latent, hidden_widths=hidden_widths)


@pytest.mark.parametrize(
    ("n_features", "n_latent", "count"),
    [(784, 10, 3_330_794), (256, 10, 2_802_266), (1024, 68, 3_803_092), (2000, 4, 4_524_004)],
)
def test_parameter_counts_of_the_published_architecture(n_features, n_latent, count):
    assert sum(p.numel() for p in build([0], n_features, n_latent).parameters()) == count


def test_weights_are_glorot_uniform_and_biases_zero():
    for name, tensor in build([0, 1]).named_parameters():
        if name.endswith("bias"):
            assert (tensor == 0).all()
        else:
            limit = math.sqrt(6 / (tensor.shape[1] + tensor.shape[2]))
            assert tensor.abs().max() <= limit
            assert tensor.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.05)


def test_weights_of_a_seed_do_not_depend_on_the_stack():
    for stacked, single in zip(build([7, 8]).parameters(), build([8]).parameters(), strict=True):
        assert torch.equal(stacked[1], single[0])


def test_forward_equals_plain_layers():
    model = build([3, 4], 6, 2, (5, 4)).double()
    x = torch.rand(2, 7, 6, dtype=torch.float64)
    for s in range(2):
        h = x[s]
        layers = [p[s] for p in model.parameters()]
        for i, (weight, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            h = h @ weight + bias
            if i == 2:
                torch.testing.assert_close(model.encode(x)[s], h)  # the code is linear
            if i not in (2, 5):
                h = h.relu()
        torch.testing.assert_close(model.decode(model.encode(x))[s], h)  # so is the output


def test_reconstruction_error_by_hand():
    x, x_hat = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]]), torch.tensor([[[1.0, 2.0], [1.0, 4.0]]])
    assert reconstruction_error(x, x_hat).tolist() == [(1 + 4 + 0 + 9) / 2]


def test_the_whole_data_set_is_encoded_in_order(monkeypatch):
    model = build([0, 1], 6, 2, (5,))
    x = torch.rand(50, 6)
    expected = model.encode(x.expand(2, -1, -1))
    monkeypatch.setattr("deepkm.networks.autoencoder.CACHE_NUMEL", 50)
    torch.testing.assert_close(encode_all(model, x, n_runs=2), expected)


def test_unknown_kind():
    with pytest.raises(
        ValueError, match="autoencoder='mpl' should be 'mlp', 'conv', 'conv_sigmoid', 'conv_dcec' or None"
    ):
        build_autoencoder("mpl", seeds=[0], n_features=2, n_latent=1, hidden_widths=())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_runs", [1, 2])
def test_gradients_without_a_graph_are_those_of_one(n_runs, dtype):
    model = build(range(n_runs), 6, 2, (5, 4)).to(dtype)
    x = torch.rand(n_runs, 7, 6, dtype=dtype, generator=torch.Generator().manual_seed(0))
    x_hat = model.decode(model.encode(x))
    expected = torch.autograd.grad(reconstruction_error(x, x_hat).sum(), list(model.parameters()))
    assert torch.equal(model.reconstruct(x), x_hat)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        assert gradient.any()
        assert torch.equal(parameter.grad, gradient)
