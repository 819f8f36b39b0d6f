"""Methods as scikit-learn estimators: what is made of them, by whom, and what stays out of jobs."""

import copy
import pickle
import re
import subprocess
import sys
from dataclasses import fields
from typing import get_type_hints

import numpy as np
import pytest
import torch
from conftest import ROOT, environment
from sklearn.base import BaseEstimator, clone

import deepkm
from deepkm.estimators.estimator import Estimator, as_estimator
from deepkm.methods.base import DeepClustering
from deepkm.study.parameters import Field, fields_of

X = np.random.default_rng(0).normal(size=(40, 4))
SMALL = {"n_clusters": 2, "hidden_widths": (8,), "epochs": 2, "pretraining_epochs": 1}


@pytest.fixture
def hard(tmp_path, monkeypatch):
    """The README's own method, imported from a file of its own."""
    source = re.search(r"```python\n# my_method.py\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "my_method.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("my_method").HardKMeans
    sys.modules.pop("my_method")


def run_python(code, **variables):
    """Run `code` in a fresh process, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment() | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_method_is_no_estimator_and_an_estimator_is_both():
    from deepkm.methods.dkm import DKM  # noqa: PLC0415

    assert not issubclass(DKM, BaseEstimator)
    assert not hasattr(DKM, "fit")
    assert issubclass(deepkm.DKM, DKM)
    assert issubclass(deepkm.DKM, Estimator)
    assert deepkm.DKM is as_estimator(DKM) is as_estimator(deepkm.DKM)
    assert "DKM" in dir(deepkm)
    assert (deepkm.DKM.__module__, deepkm.DKM.__qualname__) == ("deepkm", "DKM")
    assert deepkm.DKM.__doc__ == DKM.__doc__


def test_scikit_learn_comes_with_the_first_estimator_alone():
    modules = [*(f"deepkm.methods.{module}" for module in deepkm._METHODS.values()), "deepkm.stages.cluster"]
    code = "import sys, deepkm\nfor module in {}: __import__(module)\nprint('sklearn' in sys.modules)"
    assert run_python(code.format(modules)) == "False\n"
    assert run_python("import sys, deepkm; print({'torch', 'sklearn'} & sys.modules.keys())") == "set()\n"
    assert run_python("import sys, deepkm; deepkm.KMeans; print('sklearn' in sys.modules)") == "True\n"
    # No variable makes a job other than what a notebook sees.
    code = "import deepkm; print(hasattr(deepkm.DKM, 'fit'))"
    assert run_python(code, DEEPKM_JOB="1") == run_python(code) == "True\n"


@pytest.mark.parametrize("name", deepkm.__all__)
def test_what_is_read_is_what_python_makes_of_it(name):
    estimator = getattr(deepkm, name)
    method = estimator._method
    hints = get_type_hints(method, include_extras=True)
    read = fields_of(f"{method.__module__}:{name}")
    assert list(read) == [field.name for field in fields(method)]
    for field in fields(method):
        stated = any(field.name in vars(cls).get("__annotations__", {}) for cls in method.__mro__[:-2])
        assert read[field.name] == Field(hints[field.name], field.default, stated), field.name
    own = {"n_init_runs": 1, "pretrained": None, "dtype": "float32", "verbose": False}  # no study asks for them
    assert estimator().get_params() == {field.name: field.default for field in fields(method)} | own
    estimator().check_parameters()


def test_copies_are_equal():
    model = deepkm.DKM(**SMALL, alpha=3.0, random_state=0).fit(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), clone(model).fit(X)):
        assert type(other) is deepkm.DKM
        assert other.get_params() == model.get_params()
        np.testing.assert_array_equal(other.predict(X), model.labels_)
    assert pickle.loads(pickle.dumps(deepkm.DKM)) is deepkm.DKM
    assert not hasattr(clone(model), "labels_")
    assert repr(deepkm.DKM(alpha=3.0)) == "DKM(alpha=3.0)"
    deepkm.CT(reinit=np.bool_(False), epochs=np.int64(3), alpha=np.float32(2)).check_parameters()


def test_a_pickle_is_read_by_another_process(tmp_path):
    model = deepkm.CT(**SMALL, random_state=0, device="cpu").fit(X)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    np.save(tmp_path / "x.npy", X)
    code = f"import pickle, numpy as np; model = pickle.load(open({str(tmp_path / 'model.pickle')!r}, 'rb'))\n"
    code += f"print(type(model), model.predict(np.load({str(tmp_path / 'x.npy')!r})).tolist())"
    assert run_python(code) == f"<class 'deepkm.CT'> {model.labels_.tolist()}\n"


def test_a_users_method_becomes_an_estimator(hard):
    estimator = as_estimator(hard)
    assert (estimator.__name__, estimator.__module__) == ("HardKMeans", "my_method")
    model = estimator(**SMALL, weight=0.5, random_state=0).fit(X)
    assert repr(model).startswith("HardKMeans(")
    assert "weight=0.5" in repr(model)
    again = pickle.loads(pickle.dumps(model))
    assert type(again) is estimator
    np.testing.assert_array_equal(again.predict(X), model.labels_)
    with pytest.raises(ValueError, match="weight=-1 should be >= 0"):
        clone(model).set_params(weight=-1).fit(X)


def test_names_of_estimators_are_not_for_methods(hard):
    for name in ("score", "_encode", "dtype"):
        own = type("Own", (hard,), {name: None})
        with pytest.raises(
            ValueError, match=rf"Own\.{name}: estimators have one of this name, and hooks may not; rename"
        ):
            as_estimator(own)


def test_what_floats_would_lose_is_refused():
    estimator = deepkm.KMeans(n_clusters=2, random_state=0)
    stamps = np.int64(1_700_000_000_000_000_000) + 5 * (np.arange(40)[:, None] % 2)
    with pytest.raises(ValueError, match=r"X: got integers with numbers up to 1.7e\+18 that differ by 5"):
        estimator.fit(stamps)
    with pytest.raises(ValueError, match="X: got masked numbers"):
        estimator.fit(np.ma.masked_greater(X, 1))
    assert sorted(np.bincount(estimator.fit_predict(stamps - stamps.min()))) == [20, 20]
    assert estimator.fit(np.ma.array(X)).labels_.shape == (40,)
    with pytest.raises(ValueError, match="X: got masked numbers"):
        estimator.predict(np.ma.masked_greater(X, 1))


def test_labels_of_new_samples_may_be_found_otherwise():
    model = deepkm.SoftKMeansFree(n_clusters=3, epochs=1, random_state=0).fit(X)
    distance = ((X[:, None] - model.cluster_centers_) ** 2).sum(-1)
    np.testing.assert_array_equal(model.predict(X[:7]), distance[:7].argmin(1))


def test_a_job_and_an_estimator_train_the_same(hard):
    import torch  # noqa: PLC0415

    run = hard(**SMALL).train_runs(torch.tensor(X), seeds=[5])
    model = as_estimator(hard)(**SMALL, random_state=5, device="cpu", dtype="float64").fit(X)
    np.testing.assert_array_equal(run.centers[0].numpy(force=True), model.cluster_centers_)
    assert issubclass(hard, DeepClustering)


@pytest.mark.parametrize("given", ["dkm", dict, deepkm.DKM(), None], ids=repr)
def test_only_a_method_becomes_an_estimator(given):
    with pytest.raises(ValueError, match="a subclass of DeepClustering; give the class"):
        as_estimator(given)


@pytest.mark.parametrize("device", ["gpu", "cuda:77"])
def test_a_device_that_is_not_there_is_one_line(device, tmp_path):
    with pytest.raises(ValueError, match=f"device='{device}' should be one that PyTorch can use here"):
        deepkm.KMeans(n_clusters=2, device=device).fit(X)
    deepkm.save(deepkm.KMeans(n_clusters=2, random_state=0).fit(X), tmp_path / "model.h5")
    with pytest.raises(ValueError, match=f"device='{device}' should be one that PyTorch can use here"):
        deepkm.load(tmp_path / "model.h5", device=device)


def test_frozen_modules_and_tensors_with_gradients():
    frozen = (torch.nn.Linear(X.shape[1], 3), torch.nn.Linear(3, X.shape[1]))
    for module in frozen:
        module.requires_grad_(False)
    small = {"n_clusters": 2, "random_state": 0, "epochs": 1, "batch_size": 16}
    with pytest.raises(ValueError, match="all weights are frozen"):
        deepkm.DCN(**small, pretrained=frozen).fit(X)
    deepkm.DKM(**small, pretrained=frozen).fit(X)  # its centers are trained
    x = torch.tensor(X, requires_grad=True)
    np.testing.assert_array_equal(
        deepkm.KMeans(**small | {"epochs": 0}).fit(x).labels_, deepkm.KMeans(**small | {"epochs": 0}).fit(X).labels_
    )


@pytest.mark.parametrize(("name", "given"), [("momentum", {"momentum": 1.5}), ("tol", {"tol": 5.0})])
def test_shares_are_shares(name, given):
    with pytest.raises(ValueError, match=rf"{name}=.* should be in \[0, 1"):
        deepkm.DEC(n_clusters=2, **given).fit(X)


def test_views_need_training():
    with pytest.raises(ValueError, match="views='both' should be None where nothing is trained on them"):
        deepkm.KMeans(n_clusters=2, views="both").fit(X)
