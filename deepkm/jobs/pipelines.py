"""Fitted models of scikit-learn as arrays, so that files hold no pickles: those of `KINDS`, alone or in a pipeline."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# What can be kept: whatever `fit` finds of these are arrays and numbers.
KINDS = {"PCA": "sklearn.decomposition", "GaussianMixture": "sklearn.mixture"}


def pack(model: Any) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]] | None:
    """Return a fitted model's arrays, by ``{step}/{name}``, and what JSON holds of each step; None for other models."""
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    if any(type(step).__name__ not in KINDS for step in steps):
        return None
    arrays: dict[str, np.ndarray] = {}
    words = []
    for place, step in enumerate(steps):
        fitted = {name: value for name, value in vars(step).items() if name.endswith("_") and value is not None}
        arrays |= {f"{place}/{name}": value for name, value in fitted.items() if isinstance(value, np.ndarray)}
        own = {name: value for name, value in step.get_params(deep=False).items() if name != "random_state"}
        plain = {name: value for name, value in fitted.items() if np.ndim(value) == 0}
        words.append({"kind": type(step).__name__, "parameters": own, "fitted": plain})
    return arrays, words


def unpack(arrays: Mapping[str, np.ndarray], words: Sequence[dict[str, Any]]) -> Any:
    """Return the fitted model, a pipeline, of which `pack` returned this."""
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415  no job should wait for it

    steps = []
    for place, about in enumerate(words):
        step = getattr(importlib.import_module(KINDS[about["kind"]]), about["kind"])(**about["parameters"])
        prefix = f"{place}/"
        found = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        for name, value in {**found, **about["fitted"]}.items():
            setattr(step, name, value)
        steps.append(step)
    return make_pipeline(*steps)
