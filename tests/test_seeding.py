import torch

from deepkm.numerics.seeding import generator, permutations


def draw(*key):
    return torch.rand(4, generator=generator(*key))


def test_a_stream_depends_on_seed_name_and_epoch_alone():
    first = draw(1, "weights", 2)
    torch.rand(10)  # the global generator does not matter
    assert torch.equal(first, draw(1, "weights", 2))
    for other in [(2, "weights", 2), (1, "batches", 2), (1, "weights", 3)]:
        assert not torch.equal(first, draw(*other))


def test_permutations_of_a_seed_do_not_depend_on_the_others():
    stacked = permutations([3, 1, 4], 50, stream="batches", epoch=0)
    assert torch.equal(stacked[1], permutations([1], 50, stream="batches", epoch=0)[0])
    assert torch.equal(stacked.sort(1).values, torch.arange(50).expand(3, -1))
