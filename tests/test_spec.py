import json
import re
import tomllib
from copy import deepcopy

import jsonschema
import pytest
import yaml
from conftest import ROOT

from deepkm.study import plan, spec
from deepkm.study.config import SCHEMA
from deepkm.study.inventory import result_files
from deepkm.study.plan import Study
from deepkm.study.spec import digest, dumps


def changed(config, path, value):
    """Return a copy of the configuration with one key set."""
    config = deepcopy(config)
    *parents, last = path.split("/")
    entry = config
    for key in parents:
        entry = entry[key]
    entry[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("studdy", {}, "configuration: got unknown key 'studdy', expected 'study'?"),
        ("study/method", [], "study: got unknown key 'method', expected 'methods'?"),
        ("training/epoch", 3, "training: got unknown key 'epoch', expected 'epochs'?"),
        ("training/epochs", -1, "training.epochs: got -1, expected >= 0"),
        ("training/learning_rate", 0, "training.learning_rate: got 0, expected > 0"),
        ("training/batch_size", "many", "training.batch_size: got 'many', expected an integer > 0"),
        ("study/methods", ["dkn"], "study.methods: got unknown method 'dkn', expected 'dkm'?"),
        ("study/datasets", ["digit"], "study.datasets: got unknown data set 'digit', expected 'digits'?"),
        ("study/seeds", [1, 1], "study.seeds: got [1, 1], expected no repeated items"),
        ("study/seeds", [], "study.seeds: got [], expected at least 1 item"),
        ("methods/dkm/alhpa", 1, "methods.dkm: got unknown parameter 'alhpa', expected 'alpha'?"),
        ("methods/dkm/epochs", -5, "methods.dkm.epochs: got -5, expected >= 0"),
        ("methods/dkm/per_dataset", {"digit": {}}, "methods.dkm.per_dataset: got unknown data set 'digit'"),
        (
            "methods/dkm/per_dataset",
            {"digits": {"alpa": 1}},
            "methods.dkm.per_dataset.digits: got unknown parameter 'alpa'",
        ),
        ("methods/dkm/estimator", "deepkm.methods.dkm:DKN", "methods.dkm.estimator: got 'deepkm.methods.dkm:DKN'"),
        ("methods/dkm/estimator", "no.such:Thing", "methods.dkm.estimator: got 'no.such:Thing'"),
        ("methods/dkm/autoencoder", "mpl", "methods.dkm.autoencoder: got unknown autoencoder 'mpl', expected 'mlp'?"),
        ("autoencoders/mlp/widths", [5], "autoencoders.mlp: got unknown key 'widths', expected 'hidden_widths'?"),
        ("datasets/digits/scaling", "units", "datasets.digits.scaling: got 'units', expected one of unit, symmetric"),
        ("datasets/mine", {"n_clusters": 2}, "datasets.mine: got neither `source` nor `path`"),
        ("datasets/mine", {"path": "x.npz"}, "datasets.mine: 'n_clusters' is a required property; add it"),
        (
            "datasets/mine",
            {"path": "x.npz", "n_clusters": 2},
            "datasets.mine: got no `scaling`, expected one of (unit: [0, 1] over the whole array, for images; ",
        ),
        ("datasets/mine", {"path": "x.npz", "source": "usps", "n_clusters": 2}, "datasets.mine: got no `scaling`"),
        ("datasets/digits/seed", 3, "datasets.digits.seed: got a key that `source: digits` does not use"),
        ("datasets/digits/source", "mnits", "datasets.digits.source: got unknown source 'mnits', expected 'mnist'?"),
        (
            "datasets/usps/grey",
            True,
            "datasets.usps.grey: got a key that `source: usps` does not use; name a `path` of",
        ),
        ("data_mirror", 3, "data_mirror: got 3, expected text or null; write it in quotes"),
        (
            "datasets/a b",
            {"path": "x.npz", "n_clusters": 2, "scaling": "none"},
            "datasets: got 'a b', expected text of the form",
        ),
    ],
)
def test_a_wrong_key_is_named_with_its_path(config, path, value, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Study(changed(config, path, value))
    assert "\n" not in str(caught.value)


def test_an_entry_without_scaling_and_file_is_scaled_as_its_source(config):
    config["datasets"] |= {"few": {"source": "usps", "first": 100, "n_clusters": 10}}
    assert Study(config).scaling_of("few") == "symmetric"
    del config["datasets"]["usps"]
    for entry in (*config["methods"].values(), *config["autoencoders"].values()):
        entry.pop("per_dataset", None)
    with pytest.raises(ValueError, match=r"datasets\.few: got no `scaling`"):
        Study(config)


def test_a_missing_file_says_what_to_do(config):
    config["study"]["datasets"] = ["usps"]
    config["datasets"]["usps"]["path"] = "raw/usps.npz"
    with pytest.raises(
        ValueError, match=r"datasets\.usps\.path: got raw/usps\.npz, expected an existing file or folder; put it"
    ):
        Study(config)


def test_a_path_takes_the_place_of_a_download(config, tmp_path):
    study = Study(config)
    assert study.dataset_files("usps") == ["data/raw/usps/usps.bz2", "data/raw/usps/usps.t.bz2"]
    assert study.dataset_files("digits") == []
    spec = study.dataset_spec("usps")
    assert spec["conversion"]["files"][0][1].startswith("md5:")
    assert study.download_spec("usps", "usps.bz2")["checksum"] == spec["conversion"]["files"][0][1]
    for name in ("my.npz", "20news-bydate.tar.gz"):
        (tmp_path / name).touch()
    config["datasets"]["usps"]["path"] = str(tmp_path / "my.npz")
    # A raw file downloaded by hand is converted, whatever its checksum.
    config["datasets"]["20news"]["path"] = str(tmp_path / "20news-bydate.tar.gz")
    study = Study(config)
    assert study.dataset_files("usps") == [str(tmp_path / "my.npz")]
    assert study.dataset_spec("usps")["source"] == "file"
    spec = study.dataset_spec("20news")
    assert spec["source"] == "20news"
    assert spec["conversion"]["files"] == [["20news-bydate.tar.gz", None]]


def test_a_conversion_depends_on_its_own_source_and_on_a_folders_files(config, tmp_path):
    study = Study(config)
    assert study.dataset_spec("mnist")["source_digest"] == study.dataset_spec("fashion_mnist")["source_digest"]
    assert study.dataset_spec("mnist")["source_digest"] != study.dataset_spec("rcv1")["source_digest"]
    config["datasets"]["mine"] = {"path": str(tmp_path), "n_clusters": 2, "scaling": "none"}
    study = Study(config)
    before = study.dataset_spec("mine")
    (tmp_path / "a.txt").touch()
    assert Study(config).dataset_spec("mine") == before
    (tmp_path / "a.png").touch()
    assert Study(config).dataset_spec("mine") != before


def test_a_folder_that_cannot_be_written_is_named(config, tmp_path):
    (tmp_path / "file").touch()
    config["results_dir"] = str(tmp_path / "file" / "results")
    with pytest.raises(ValueError, match=r"results_dir: got .*/file/results, expected a folder that can be written to"):
        Study(config)


def test_text_from_the_command_line_is_read(config):
    config["study"]["seeds"] = ["3"]
    config["methods"]["dkm"] |= {"alpha": "2.5", "reinit": "true", "title": "7"}
    study = Study(config)
    parameters = study.cluster_spec("digits", "dkm", "seed3")["parameters"]
    assert (parameters["alpha"], parameters["reinit"], study.config["methods"]["dkm"]["title"]) == (2.5, True, "7")


def test_a_file_in_place_of_its_own_copy_is_refused(config, tmp_path):
    (tmp_path / "mine.npz").touch()
    config["datasets"]["mine"] = {"path": str(tmp_path / "mine.npz"), "n_clusters": 2, "scaling": "none"}
    config["data_dir"], config["study"]["datasets"] = str(tmp_path), ["mine"]
    with pytest.raises(ValueError, match="where the converted copy is written"):
        Study(config)


@pytest.mark.parametrize("name", [path.name for path in (ROOT / "studies").glob("*.yaml")])
def test_studies_are_complete_and_validate(name, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = yaml.safe_load((ROOT / "studies" / name).read_text())
    for key, value in study.items():
        config[key] = {**(config[key] or {}), **value} if isinstance(value, dict) else value
    for dataset in config["study"]["datasets"]:
        assert config["datasets"][dataset]["source"]
    study = Study(config)
    for dataset in study.datasets:
        for method in study.methods:
            for stack in study.stacks:
                assert json.loads(dumps(study.cluster_spec(dataset, method, stack)))["parameters"]["n_clusters"] > 1


def test_the_paper_study_holds_table_4(config, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "check_file", lambda *file: None)
    paper = yaml.safe_load((ROOT / "studies" / "paper.yaml").read_text())
    study = Study({**config, **paper})
    table = {
        "mnist": (3, 10, 1),
        "usps": (2.5, 10, 1),
        "coil100": (3, 10, 0.1),
        "cmu_pie": (2, 1e-3, 0.01),
        "rcv1": (2, 1e-4, 0.01),
    }
    (stack,) = study.stacks
    for dataset, (alpha, ct_weight, dkm_weight) in table.items():
        for method in ("ct", "ct_no_reinit"):
            parameters = study.cluster_spec(dataset, method, stack)["parameters"]
            assert (parameters["alpha"], parameters["clustering_weight"]) == (alpha, ct_weight)
        for method in ("dkm", "dkm_reinit"):
            parameters = study.cluster_spec(dataset, method, stack)["parameters"]
            assert (parameters["alpha"], parameters["clustering_weight"]) == (1000, dkm_weight)
        assert (parameters["pretraining_epochs"], parameters["epochs"], parameters["batch_size"]) == (50, 100, 256)
    assert study.stacks[stack] == [8905, 9129, 291, 4012, 1256, 6819, 4678, 6971, 1362, 575]


def test_equal_values_give_equal_text(config):
    text = dumps(Study(config).cluster_spec("digits", "dkm", "seed8905"))
    for path, value in [
        ("methods/dkm/alpha", 1000),
        ("methods/dkm/alpha", "1e3"),
        ("methods/dkm/reinit", False),
        ("methods/dkm/title", "x"),
        ("methods/ct/alpha", 9.0),
        ("methods/km/n_init", 3),
        ("study/seeds", [8905, 1, 2]),
        ("datasets/digits/title", "x"),
    ]:
        assert dumps(Study(changed(config, path, value)).cluster_spec("digits", "dkm", "seed8905")) == text, path
    reordered = dict(reversed(config.items())) | {"methods": dict(reversed(config["methods"].items()))}
    assert dumps(Study(reordered).cluster_spec("digits", "dkm", "seed8905")) == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("methods/dkm/alpha", 999.0),
        ("methods/dkm/reinit", True),
        ("training/epochs", 31),
        ("training/pretraining_epochs", 21),
        ("autoencoders/mlp/per_dataset", {"digits": {"hidden_widths": [500, 500]}}),
        ("datasets/digits/scaling", "standard"),
        ("datasets/digits/n_clusters", 9),
        ("methods/dkm/per_dataset", {"digits": {"alpha": 5.0}}),
    ],
)
def test_every_knob_is_in_the_text(config, path, value):
    before, after = Study(config), Study(changed(config, path, value))
    specs = [study.cluster_spec("digits", "dkm", "seed8905") for study in (before, after)]
    assert digest(specs[0]) != digest(specs[1])


def test_swapping_two_values_changes_the_text(config):
    config["methods"]["dkm"] |= {"alpha": 1.0, "clustering_weight": 2.0}
    text = dumps(Study(config).cluster_spec("digits", "dkm", "seed8905"))
    config["methods"]["dkm"] |= {"alpha": 2.0, "clustering_weight": 1.0}
    assert dumps(Study(config).cluster_spec("digits", "dkm", "seed8905")) != text


def test_input_space_does_not_hang_on_the_autoencoders(config):
    text = dumps(Study(config).cluster_spec("digits", "km", "seed8905"))
    config["autoencoders"]["mlp"]["hidden_widths"] = [3]
    config["training"]["pretraining_epochs"] = 1
    assert dumps(Study(config).cluster_spec("digits", "km", "seed8905")) == text


def test_blocks_are_cut_in_order(config):
    config |= {"seeds_per_job": 2}
    config["study"]["seeds"] = [5, 6, 7]
    assert Study(config).stacks == {"seed5x2": [5, 6], "seed7": [7]}
    config["study"]["seeds"] = [5, 6, 7, 8, 9]
    assert Study(config).stacks == {"seed5x2": [5, 6], "seed7x2": [7, 8], "seed9": [9]}


def test_stacks_stay_in_order_in_the_text(config):
    """Or what scores were made of would be noted in another order than it is looked for: they would never be done."""
    study = Study(changed(config, "study/seeds", [9129, 2, 291]) | {"seeds_per_job": 1})
    read = json.loads(dumps(study.score_spec()))
    assert result_files("results", read) == result_files("results", study.score_spec())
    assert result_files("results", read)[1][0].stem == "seed9129"


def test_ablations_are_found_by_their_parameters(config):
    part = "re-initialised centers"
    config["study"]["methods"] = ["dkm", "dkm_reinit", "ct", "ct_no_reinit"]
    assert Study(config).ablations() == [["dkm_reinit", "dkm", part], ["ct", "ct_no_reinit", part]]
    config["methods"]["ct"]["alpha"] = 2.0
    assert Study(config).ablations() == [["dkm_reinit", "dkm", part]]
    config["study"]["methods"] = ["dkm", "dkm_fresh", "dkm_reinit"]
    assert Study(config).ablations() == [["dkm_fresh", "dkm", part], ["dkm_reinit", "dkm", part]]
    config["study"]["methods"] = ["aekm", "dec", "dec_da", "dkm", "dkm_views", "cold"]
    config["methods"]["cold"] = {**config["methods"]["dkm"], "warm_start": "none"}
    pairs = [["dec_da", "dec", "views"], ["dkm", "cold", "a warm start"], ["dkm_views", "dkm", "views"]]
    assert Study(config).ablations() == pairs


def test_contrasts_are_the_usual_ones_unless_they_are_named(config):
    config["study"]["methods"] = ["km", "ward", "aekm", "aekm_long", "dkm", "ct", "ct_no_reinit"]
    usual = [["dkm", "aekm_long"], ["ct", "aekm_long"], ["ct_no_reinit", "aekm_long"], ["ct", "dkm"]]
    assert Study(config).contrasts() == [*usual, ["ct", "ct_no_reinit"]]
    for methods, expected in (
        (["km", "aekm", "aekm_longest", "dkm"], [["aekm_longest", "aekm"], ["dkm", "aekm"]]),
        (["dkm_reinit", "km", "dkm"], [["dkm_reinit", "km"], ["dkm", "km"], ["dkm_reinit", "dkm"]]),
        (["ward", "dkm"], []),
    ):
        config["study"]["methods"] = methods
        assert Study(config).contrasts() == expected
    config["study"]["contrasts"] = [["ward", "dkm"]]
    assert Study(config).contrasts() == Study(config).statistics_spec()["contrasts"] == [["ward", "dkm"]]
    config["study"]["contrasts"] = []
    assert Study(config).contrasts() == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("study/contrasts", [["ct", "km"], ["ct", "ward"]], "study.contrasts.1: got 'ward', expected methods of the"),
        (
            "study/contrasts",
            [["ct", "km"], ["km", "ct"]],
            "study.contrasts.1: got ['km', 'ct'] once more, expected each",
        ),
        ("study/contrasts", [["ct", "ct"]], "study.contrasts.0: got ['ct', 'ct'], expected no repeated items"),
        ("study/contrasts", [["ct"]], "study.contrasts.0: got ['ct'], expected at least 2 items"),
        ("study/contrasts", "ct", "study.contrasts: got 'ct', expected a list or null"),
        ("nemenyi", True, "nemenyi: got true for 1 data sets, expected at least 8; leave it out"),
        ("nemenyi", "maybe", "nemenyi: got 'maybe', expected true or false"),
    ],
)
def test_contrasts_that_cannot_be_meant(config, key, value, message):
    config["study"] = {"datasets": ["digits"], "methods": ["km", "ct"], "seeds": [0]}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Study(changed(config, key, value))


def test_titles_say_which_methods_see_views(config):
    config["study"]["methods"] = ["km", "dec", "dec_da", "deepcluster"]
    titles = dict(Study(config).report_spec("tables")["methods"])
    assert titles == {"km": "k-means", "dec": "DEC", "dec_da": "DEC, views ‡", "deepcluster": "DeepCluster ‡"}


def test_the_types_of_specs_say_what_is_in_them(config, tmp_path):
    config["datasets"] |= {"mine": {"path": str(tmp_path), "n_clusters": 2, "scaling": "none", "grey": True}}
    config["study"] |= {"datasets": ["blobs", "usps", "mine"], "methods": ["km", "dkm"]}
    tried = {"dkm": [{"alpha": 1.0}]}
    config["search"] = {"seeds": [11, 12], "criterion": "agreement", "runs_per_job": 24, "methods": tried}
    study = Study(config)
    searched = {"dataset": "usps", "method": "dkm", "part": "part0"}
    made = {
        spec.DownloadSpec: [study.download_spec("usps", "usps.bz2")],
        spec.DatasetSpec: map(study.dataset_spec, study.datasets),
        spec.ConversionSpec: [study.dataset_spec("usps")["conversion"]],
        spec.FeaturesSpec: [study.cluster_spec("usps", "dkm", "seed8905")["dataset"]],
        spec.AutoencoderSpec: [study.autoencoder_spec("usps", "mlp", "seed8905")],
        spec.ClusterSpec: [study.cluster_spec("usps", "dkm", "seed8905")],
        spec.SearchSpec: [study.spec_of("search", **searched)],
        spec.ChooseSpec: [study.spec_of("choose")],
        spec.JobsSpec: [study.training_jobs()],
        spec.ScoreSpec: [study.score_spec()],
        spec.StatisticsSpec: [study.statistics_spec()],
        spec.DescribeSpec: [study.describe_spec()],
        spec.AboutSpec: study.describe_spec()["datasets"],
        spec.ReportSpec: [study.report_spec("tables")],
        spec.OriginSpec: study.report_spec("tables")["origins"].values(),
        spec.FiguresSpec: [study.figures_spec()],
        spec.PageSpec: [study.page_spec()],
    }
    assert set(made) == {kind for name, kind in vars(spec).items() if name.endswith("Spec")}
    for kind, specs in made.items():
        for found in specs:
            assert kind.__required_keys__ <= found.keys() <= kind.__annotations__.keys()
    options = yaml.safe_load(SCHEMA.read_text())["properties"]["datasets"]["additionalProperties"]["properties"]
    assert options.keys() - {"title", "path", "scaling", "resample"} <= spec.DatasetSpec.__annotations__.keys()


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(yaml.safe_load(SCHEMA.read_text()))


def test_both_environments_pin_the_same():
    pins = dict(
        line.split("==")
        for line in (ROOT / "envs" / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    conda = yaml.safe_load((ROOT / "envs" / "deepkm.yaml").read_text())["dependencies"][-1]["pip"]
    for line in conda:
        name, version = line.split("==")
        assert pins[name] == version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = sum((extras[name] for name in ("workflow", "report", "umap")), project["dependencies"])
    wanted = {line.split(">=")[0].lower() for line in lines}
    assert {line.split("==")[0].lower() for line in conda} == wanted - {"deepkm[report]", "snakemake"}
