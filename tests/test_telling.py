"""What people read while a study runs: of each job a line or two, of the rest little."""

import io
import logging
import re
from types import SimpleNamespace
from unittest import mock

import pytest

from deepkm.jobs.progress import Planned, Progress, in_words, plan_jobs, training_place
from deepkm.jobs.telling import Terminal, as_typed, tell
from deepkm.study.durations import training_seconds
from deepkm.study.paths import CLUSTERING, path_of, side_file
from deepkm.study.plan import Study


class Study20:
    """A study of 20 jobs that train, and what comes after, by a Snakemake that never was; time passes by hand."""

    def __init__(self, guesses=(), slots=2, **options):
        self.now, self.stream = 0.0, io.StringIO()
        guesses = list(guesses) or [10.0] * 20
        words = [f"{'CT' if i % 2 else 'DKM'} on Digits, seed {i}" for i in range(len(guesses))]
        jobs = {
            i: Planned(rule="cluster", words=words[i], kind=("cluster", words[i][:2]), guess=guess, trains=True)
            for i, guess in enumerate(guesses)
        }
        for rule in "record dataset labels score statistics figures tables report".split():
            jobs[len(jobs)] = Planned(rule=rule, words=rule, kind=(rule,), guess=5, trains=False)
        self.terminal = Terminal(self.stream, **options)
        self.terminal.begin(Progress(jobs, slots=slots, clock=lambda: self.now), ["no GPU here"])

    def record(self, message="", *, event=None, level=logging.INFO, **values):
        record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
        record.__dict__.update(event=event, **values)
        self.terminal.handle(record)

    def run(self, number, seconds=10.0):
        self.record(event="job_info", jobid=number, local=True)
        self.record(event="shellcmd", shellcmd="a wall of text")
        self.now += seconds
        self.record(event="job_finished", job_id=number)
        self.record(event="progress")

    def fail(self, number, log, message=None):
        self.record(event="job_info", jobid=number, local=True)
        self.record(
            event="job_error", level=logging.ERROR, jobid=number, log=[str(log)], rule_name="cluster", rule_msg=message
        )
        self.record("RuleException:\nCalledProcessError in file train.smk, line 4", event="error", level=logging.ERROR)

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


def test_a_study_of_20_jobs_says_at_most_60_lines():
    study = Study20()
    study.record("SNAKEMAKE", event="workflow_started")
    for number in study.terminal.progress.jobs:
        study.record("Execute 1 jobs...", event="job_started")
        study.run(number)
    study.terminal.end("results/report.html")
    assert len(study.lines) == 2 + 2 * 22 + 6 + 1 < 60
    assert study.lines[2:4] == [
        "DKM on Digits, seed 0: begins",
        "DKM on Digits, seed 0: 10 s, job 1 of 28, about 2 min left",
    ]
    assert study.lines[-2:] == ["report: 10 s, job 28 of 28", "Done in 5 min; all on one page: results/report.html"]


def test_the_time_left_is_weighed_by_work_and_learnt_from_what_ended():
    study = Study20(guesses=[10, 10, 1000])
    assert study.terminal.progress.seconds_left() is None  # nobody knows this machine yet
    study.run(0, seconds=20)  # twice as slow as guessed
    # DKM, 1000 guessed: 2000; CT, 10 guessed: beside it; eight others of 5 s, twice as long
    assert study.terminal.progress.seconds_left() == pytest.approx(2000 + 80)
    study.run(1, seconds=5)
    assert study.terminal.progress.seconds_left() == pytest.approx(2000 + 8 * 5 * 25 / 20)
    study.record(event="job_info", jobid=2, local=True)
    study.now += 500
    assert study.terminal.progress.seconds_left() == pytest.approx(1500 + 8 * 5 * 25 / 20)


def test_in_a_queue_what_ended_tells_how_many_run_at_once(tmp_path):
    (tmp_path / "took.jsonl").write_text('{"s": 40.0}')
    study = Study20(guesses=[40] * 9, slots=None)
    for number, job in study.terminal.progress.jobs.items():
        object.__setattr__(job, "benchmark", str(tmp_path / "took.jsonl") if number < 4 else None)
        study.record(event="job_info", jobid=number, local=False)
    assert study.lines[2] == "DKM on Digits, seed 0: sent"
    study.now = 80.0  # of which half were waited for
    for number in range(4):
        study.record(event="job_finished", job_id=number)
    assert study.terminal.progress.seconds_left() == pytest.approx(5 * 40 / 2 + 8 * 5)
    assert study.lines[-1] == "CT on Digits, seed 3: 40 s, job 4 of 17, about 2 min left"


@pytest.mark.parametrize(("quiet", "told"), [([], 2), (["rules"], 1), (["progress"], 1), (["all"], 0)])
def test_quiet_leaves_errors(quiet, told, tmp_path):
    (tmp_path / "log").write_text(
        "on the CPU\ndeepkm: error: alpha=-1 should be > 0\n  2%|# | 1/9 [00:01<00:12, 1s/epoch]"
    )
    study = Study20(quiet=quiet)
    before = len(study.lines)
    study.run(0)
    assert len(study.lines) - before == told
    study.fail(1, tmp_path / "log")
    failed = f"CT on Digits, seed 1: failed: deepkm: error: alpha=-1 should be > 0 ({tmp_path / 'log'})"
    assert study.lines[-1] == failed
    study.record("config: got x, expected y", event="error", level=logging.ERROR)
    assert study.lines[-1] == "config: got x, expected y"
    study.terminal.break_off(go_on="snakemake", so_far="So far")
    assert study.lines[-4:] == [failed, "Whatever finished is kept: 1 of 28 jobs", *study.lines[-2:]]
    assert study.lines[-2:] == ["The same command goes on: snakemake", "So far"]


def test_many_failures_and_a_job_that_is_tried_again(tmp_path):
    study = Study20()
    for number in range(15):
        study.fail(number, tmp_path / "none", "SLURM status is: 'TIMEOUT'" if number else None)
    assert study.lines[-1] == f"DKM on Digits, seed 14: failed: SLURM status is: 'TIMEOUT' ({tmp_path / 'none'})"
    assert "seed 0: failed: ended without a word; killed, maybe" in study.lines[3]
    study.run(0)
    said = len(study.lines)
    study.terminal.break_off(go_on="snakemake", so_far="So far")
    assert [line.partition(":")[0] for line in study.lines[said : said + 2]] == [
        f"CT on Digits, seed {1}",
        "DKM on Digits, seed 2",
    ]
    assert study.lines[said + 10] == "and 4 more"


def test_a_warned_job_saves_and_an_interrupted_study_parts_in_three_lines(tmp_path):
    (tmp_path / "log").write_text("\nstopped by SIGUSR1 after epoch 7; the same command goes on from there\n")
    study = Study20()
    study.fail(1, tmp_path / "log")
    assert study.lines[-1] == "CT on Digits, seed 1: stopped by SIGUSR1, saved at epoch 7"
    said = len(study.lines)
    study.record("Terminating processes on user request, this might take some time.")
    study.record(event="job_error", level=logging.ERROR, jobid=2, log=[], rule_name="cluster", rule_msg=None)
    study.terminal.break_off(go_on="snakemake -c2", so_far="So far")
    study.record("At least one job did not complete successfully.", event="error", level=logging.ERROR)
    assert study.lines[said:] == [
        "Stopping: what trains ends its epoch and saves.",
        "Whatever finished is kept: 0 of 28 jobs; saved: CT on Digits, seed 1 up to epoch 7",
        "The same command goes on: snakemake -c2",
    ]


def test_nothing_to_be_done_is_one_line():
    study = Study20()
    said = len(study.lines)
    study.record("SNAKEMAKE", event="workflow_started")
    study.record("Building DAG of jobs...")
    study.record("Nothing to be done (all requested files are present and up to date).")
    assert study.lines[said:] == ["Nothing to be done (all requested files are present and up to date)."]


def test_a_logger_that_someone_chose_and_a_dry_run_stay():
    logger, handler = logging.Logger("snakemake"), logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    tell(logger, SimpleNamespace())
    assert logger.handlers == [handler]
    handler.name = "DefaultStreamHandler"
    tell(logger, SimpleNamespace(dryrun=True))
    assert logger.handlers == [handler]
    terminal = tell(logger, SimpleNamespace(quiet=[SimpleNamespace(name="RULES")]))
    assert (logger.handlers, terminal.quiet) == ([terminal], {"rules"})


def test_what_was_not_heard_is_not_counted_and_a_closed_terminal_ends_nothing(capsys):
    terminal = tell(None, SimpleNamespace(verbose=True))
    terminal.break_off(go_on="snakemake", so_far="So far")
    said = "Whatever finished is kept\nThe same command goes on: snakemake\nSo far\n"
    assert capsys.readouterr().err == said
    terminal.stream = mock.Mock(write=mock.Mock(side_effect=BrokenPipeError))
    terminal.say("nobody reads this")


def test_what_was_interrupted_goes_on(config, tmp_path):
    study = Study(config | {"results_dir": str(tmp_path)})
    place = {"method": "ct", "dataset": "digits", "stack": next(iter(study.stacks))}
    rule = SimpleNamespace(name="cluster", norun=False)
    job = SimpleNamespace(jobid=0, rule=rule, wildcards_dict=place, benchmark=None)
    told = []
    for _ in range(2):
        terminal = Terminal(io.StringIO())
        terminal.begin(Progress(dict(plan_jobs(study, [job])), slots=1), [])
        record = logging.LogRecord("snakemake", logging.INFO, "", 0, "", (), None)
        record.__dict__.update(event="job_info", jobid=0, local=True)
        terminal.handle(record)
        told.append(terminal.stream.getvalue().splitlines()[-1].rpartition(": ")[2])
        checkpoint = side_file(
            path_of(CLUSTERING, results=tmp_path, **place), study.spec_of("cluster", **place), "checkpoint"
        )
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()
    assert told == ["begins", "goes on from its checkpoint"]


def test_a_job_in_words(config):
    study = Study(config | {"seeds_per_job": 3})
    place = {"dataset": "digits", "stack": next(iter(study.stacks))}
    seeds = "seeds " + " ".join(map(str, study.stacks[place["stack"]]))
    assert in_words(study, "cluster", {"method": "ct", **place}) == f"CT on Digits, {seeds}"
    assert in_words(study, "autoencoder", {"autoencoder": "mlp", **place}) == f"autoencoder mlp on Digits, {seeds}"
    study.stacks["seed0x10"] = list(range(10))
    assert (
        in_words(study, "cluster", {**place, "method": "km", "stack": "seed0x10"})
        == "k-means on Digits, 10 seeds from 0"
    )


def test_longer_and_wider_takes_longer(config):
    study = Study(config)
    spec = study.cluster_spec("digits", "ct", next(iter(study.stacks)))
    short = training_seconds(spec, [1797, 8, 8])
    assert short < training_seconds(spec, [1797, 28, 28]) < training_seconds(spec, [70_000, 28, 28])
    assert short < training_seconds({**spec, "seeds": [0, 1]}, [1797, 8, 8]) < training_seconds(spec, [None])
    longer = {**spec, "parameters": {**spec["parameters"], "epochs": 200}}
    assert training_seconds(longer, [1797, 8, 8]) > 1.5 * short - 4


@pytest.mark.parametrize(
    ("gpus", "options", "words"),
    [
        ([], {"gpu": 0}, ("no GPU here: training on the CPU, 2 jobs at a time", 2)),
        (["a"], {"gpu": 0}, ("gpu=0: training on the CPU, 2 jobs at a time", 2)),
        (["a"], {"gpu": 1}, ("training on 1 GPU, 1 job at a time", 1)),
        (["a", "b"], {"gpu": 9, "jobs_per_gpu": 3}, ("training on 2 GPUs, 2 jobs at a time", 2)),
        (["a", "b"], {"gpu": None, "cores": 8}, ("training on 2 GPUs, 2 jobs at a time", 2)),
    ],
)
def test_where_it_trains(gpus, options, words):
    assert training_place(gpus, **{"cores": 2, "jobs_per_gpu": 1, **options}) == words


def test_the_command_as_it_was_typed(monkeypatch):
    monkeypatch.setenv("PATH", "/venv/bin")
    assert as_typed(["/venv/bin/snakemake", "-c2"]) == ["snakemake", "-c2"]
    assert as_typed([".venv/bin/snakemake", "-c2"]) == [".venv/bin/snakemake", "-c2"]
    assert as_typed(["/other/bin/snakemake"]) == ["/other/bin/snakemake"]
    assert re.match("python -m snakemake", " ".join(as_typed(["/x/snakemake/__main__.py"])))
