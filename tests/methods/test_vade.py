"""VaDE: the worked example, both forms of its loss, its start, and its limits."""

import math

import pytest
import torch
from problems import SMALL, blobs, check_resume, check_stack, first_batch, initialized, trained
from sklearn.datasets import load_digits
from torch.distributions import Independent, Normal, kl_divergence

from deepkm.methods.vade import VaDE, divergence
from deepkm.networks.autoencoder import build_autoencoder
from deepkm.training.run import Run

METHOD = VaDE(**SMALL, mixture_n_init=2)


def mixture(means, variances, weights=None):
    """Return a run of one seed that holds a mixture of K Gaussians in D dimensions."""
    run = Run([0], None)
    means, variances = (torch.tensor(values, dtype=torch.float64)[None] for values in (means, variances))
    logits = torch.zeros(means.shape[:2]) if weights is None else torch.tensor([weights]).log()
    run.state = {"centers": means, "log_variances": variances.log(), "mixture_logits": logits.double()}
    return run


def value(run, mean, variance, z):
    mean, variance, z = (torch.tensor(numbers, dtype=torch.float64)[None, None] for numbers in (mean, variance, z))
    log_posterior = METHOD._log_posterior(z, run)
    return divergence(mean, variance.log(), log_posterior, run).item(), log_posterior.exp().flatten().tolist()


def test_the_worked_examples():
    run = mixture([[0.0], [4.0]], [[1.0], [1.0]])
    total, posterior = value(run, [1.0], [0.25], [1.2])
    assert posterior == pytest.approx([0.960834, 0.039166], abs=1e-6)
    assert total == pytest.approx(1.502674, abs=1e-6)
    total, posterior = value(run, [1.0], [0.25], [1.0])
    assert posterior == pytest.approx([0.982014, 0.017986], abs=1e-6)
    assert total == pytest.approx(1.493144, abs=1e-6)
    one = mixture([[0.5, -1.0]], [[2.0, 0.5]])
    assert value(one, [1.0, 0.0], [0.3, 0.7], [9.0, 9.0])[0] == pytest.approx(1.617824, abs=1e-6)


def test_both_forms_of_the_loss_are_one():
    random = torch.Generator().manual_seed(0)
    means, variances = torch.randn(3, 2, generator=random).tolist(), (torch.rand(3, 2, generator=random) + 0.1).tolist()
    weights = [0.2, 0.5, 0.3]
    run = mixture(means, variances, weights)
    m, v, z = [0.3, -0.4], [0.5, 0.2], [0.7, -0.1]
    total, gamma = value(run, m, v, z)
    as_printed = -0.5 * sum(1 + math.log(part) for part in v)
    for k, share in enumerate(gamma):
        terms = (
            math.log(s) + part / s + (a - b) ** 2 / s
            for s, part, a, b in zip(variances[k], v, m, means[k], strict=True)
        )
        as_printed += 0.5 * share * sum(terms) - share * math.log(weights[k]) + share * math.log(share)
    assert total == pytest.approx(as_printed, abs=1e-6)
    own = Independent(Normal(torch.tensor(m), torch.tensor(v).sqrt()), 1)
    others = [
        Independent(Normal(torch.tensor(a), torch.tensor(s).sqrt()), 1) for a, s in zip(means, variances, strict=True)
    ]
    expected = sum(
        g * (kl_divergence(own, other) + math.log(g / w)) for g, other, w in zip(gamma, others, weights, strict=True)
    )
    assert total == pytest.approx(expected.item(), abs=1e-6)


def test_posteriors_are_numbers_far_away_too():
    run = mixture([[0.0], [4.0]], [[1.0], [0.5]])
    posterior = METHOD._log_posterior(torch.tensor([[[1e6], [-1e6]]], dtype=torch.float64), run).exp()
    torch.testing.assert_close(posterior.sum(-1), torch.ones(1, 2, dtype=torch.float64))


def test_clusters_may_be_exchanged():
    run, turned = (
        mixture(means, variances)
        for means, variances in (([[0.0], [4.0]], [[1.0], [2.0]]), ([[4.0], [0.0]], [[2.0], [1.0]]))
    )
    (total, gamma), (same, exchanged) = (value(one, [1.0], [0.25], [1.2]) for one in (run, turned))
    assert total == pytest.approx(same)
    assert gamma == pytest.approx(exchanged[::-1])


def test_it_starts_from_the_mixture_of_the_code():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    z = run.encode(x)
    for s, seed in enumerate(run.seeds):
        found = METHOD._mixture(z[s], seed)
        torch.testing.assert_close(run.centers[s], torch.from_numpy(found.means_))
        assert (
            run.history["labels"][0][s] == found.predict(z[s].detach().numpy())
        ).mean() > 0.95  # its weights are uneven
        median = float(torch.from_numpy(found.covariances_).flatten().median())
        torch.testing.assert_close(
            run.state["head_bias"][s].exp(), torch.full((1, 3), 0.1 * median, dtype=torch.float64)
        )


@pytest.mark.parametrize("kind", ["mlp", "conv", "conv_dcec", "conv_sigmoid"])
def test_the_code_is_that_of_the_last_hidden_layer(kind):
    model = build_autoencoder(kind, seeds=[0, 1], n_features=64, n_latent=3, hidden_widths=(8, 5)).double()
    x = torch.tensor(load_digits().data[:10] / 16).expand(2, -1, -1)
    torch.testing.assert_close(model.to_code(model.hidden(x)), model.encode(x), rtol=0, atol=1e-12)
    assert (model.hidden(x) >= 0).all()


def test_the_loss_draws_what_its_epoch_drew():
    x = blobs()
    run = initialized(METHOD, x, [0, 1])
    run.x = x
    METHOD.start_epoch(run)
    first, again = METHOD.loss(first_batch(run, x), run), METHOD.loss(first_batch(run, x), run)
    assert torch.equal(first, again)
    run.epoch = 1
    METHOD.start_epoch(run)
    assert not torch.allclose(METHOD.loss(first_batch(run, x), run), first)


def test_a_stack_and_what_is_resumed(tmp_path):
    check_stack(METHOD, blobs())
    check_resume(METHOD, blobs(), tmp_path / "run.checkpoint")


def test_labels_are_read_part_by_part(monkeypatch):
    run, sizes = initialized(METHOD, blobs(), [0, 1]), []
    z = run.encode(blobs())
    expected = METHOD._log_posterior(z, run).argmax(-1)
    monkeypatch.setattr("deepkm.methods.vade.CHUNK_NUMEL", 7 * run.centers.numel())
    one_part = VaDE._log_posterior
    monkeypatch.setattr(VaDE, "_log_posterior", lambda *given: sizes.append(given[1].shape[1]) or one_part(*given))
    assert torch.equal(METHOD.assign(z, run), expected)
    assert max(sizes) == 7


def test_all_clusters_of_blobs_stay_in_use():
    run = trained(VaDE(**SMALL | {"epochs": 30}, mixture_n_init=2), blobs(), [0, 1])
    assert [len(set(labels)) for labels in run.history["labels"][-1]] == [3, 3]
