import pytest
import torch

from deepkm.networks import products
from deepkm.networks.products import perceptron

SIZES = (2, 7, 6), ((6, 5), (5, 9), (9, 3))  # x (S, B, F), and each layer's weight


def network(dtype, requires_grad=True):
    random = torch.Generator().manual_seed(0)
    shape, layers = SIZES

    def draw(*size):
        return torch.randn(size, generator=random, dtype=dtype).requires_grad_(requires_grad)

    return draw(*shape), [draw(shape[0], *layer) for layer in layers], [draw(shape[0], 1, n) for _, n in layers]


def plain(x, weights, biases):
    """The same by PyTorch's own layers and gradients."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = (x @ weight + bias).relu()
    return x @ weights[-1] + biases[-1]


def output_and_gradients(function, x, weights, biases, **options):
    out = function(x, weights, biases, **options)
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    return [out, *torch.autograd.grad((out * weight).sum(), [x, *weights, *biases])]


def test_gradients_by_finite_differences():
    x, weights, biases = network(torch.float64)
    n = len(weights)
    assert torch.autograd.gradcheck(lambda x, *p: perceptron(x, p[:n], p[n:]), (x, *weights, *biases))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_plain_layers(dtype):
    expected = output_and_gradients(plain, *network(dtype))
    for found, tensor in zip(output_and_gradients(perceptron, *network(dtype)), expected, strict=True):
        torch.testing.assert_close(found, tensor)


@pytest.fixture
def on(monkeypatch, tmp_path):
    """Let this machine's processor be of a maker, with instruction sets; a choice of the environment's counts more."""

    def change(maker, flags="", choice=""):
        about = tmp_path / "cpuinfo"
        about.write_text(f"processor\t: 0\nvendor_id\t: {maker}\nflags\t\t: {flags}\npower management:\n")
        monkeypatch.setattr(products, "Path", lambda _: about)
        monkeypatch.setenv(products.CHOICE, choice)
        products.products_on_cpu.cache_clear()

    yield change
    monkeypatch.undo()
    products.products_on_cpu.cache_clear()


@pytest.mark.parametrize(
    ("maker", "flags", "choice", "expected"),
    [
        ("AuthenticAMD", "fpu avx avx2 avx512f", "", "_by_onednn"),
        ("AuthenticAMD", "fpu avx avx2", "", "_by_onednn"),
        ("AuthenticAMD", "fpu avx", "", "_by_mkl"),
        ("GenuineIntel", "fpu avx avx2 avx512f", "", "_by_mkl"),
        ("GenuineIntel", "fpu avx avx2", "", "_by_mkl"),
        ("HygonGenuine", "fpu avx avx2", "", "_by_mkl"),
        ("GenuineIntel", "fpu avx512f", "onednn", "_by_onednn"),
        ("AuthenticAMD", "fpu avx2", "mkl", "_by_mkl"),
    ],
)
def test_the_rule_or_the_environment_chooses_the_product(maker, flags, choice, expected, on):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this PyTorch was built without oneDNN")
    on(maker, flags, choice)
    x = torch.zeros(1, 2, 3)
    assert products._products_for(x, "tf32") is getattr(products, expected)
    assert products._products_for(x.double(), "tf32") is products._by_mkl
    for found, tensor in zip(
        output_and_gradients(perceptron, *network(torch.float32)),
        output_and_gradients(plain, *network(torch.float32)),
        strict=True,
    ):
        torch.testing.assert_close(found, tensor)


def test_another_word_for_the_product_is_refused(on):
    on("GenuineIntel", choice="openblas")
    with pytest.raises(ValueError, match="DEEPKM_PRODUCTS: got 'openblas', expected mkl or onednn; unset it"):
        products.products_on_cpu()


def test_only_the_asked_gradients_are_taken():
    x, weights, biases = network(torch.float64)
    perceptron(x.detach(), weights, biases).sum().backward()
    assert x.grad is None
    assert weights[0].grad.shape == weights[0].shape


def test_bfloat16_keeps_seven_bits(monkeypatch):
    """A GPU's products in bfloat16, here on the CPU: sums and biases stay in float32."""
    monkeypatch.setattr(products, "_products_for", lambda x, precision: products._by_bfloat16)
    found, expected = (output_and_gradients(f, *network(torch.float32)) for f in (perceptron, plain))
    assert not torch.equal(found[0], expected[0])
    for tensor, exact in zip(found, expected, strict=True):
        assert tensor.dtype == torch.float32
        assert (tensor - exact).norm() < 3 * 2**-8 * exact.norm()
