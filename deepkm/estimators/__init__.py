"""The scikit-learn estimators that are made of methods: parameters, `fit`, and what there is after it."""
