from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from vsr import _core
from vsr._threads import set_n_threads
from vsr.choice.objective import Objective
from vsr.choice.target import Target
from vsr.cli.options import (
    EmbeddingOptions,
    ObjectiveOptions,
    embedding_options,
    json_option,
    objective_options,
    seed_option,
)
from vsr.cli.sections import command, option


@pytest.fixture(autouse=True)
def same_threads_afterwards():
    n_threads = _core.n_threads()
    yield
    set_n_threads(n_threads)


@pytest.fixture
def parse():
    """Parse arguments with all shared flags; give what the command got, or exit code and message."""

    def parse_arguments(*arguments, env=None):
        given = {}

        @command("job")
        @option("--output-dir", metavar="DIR", help="Where to.")
        @embedding_options
        @objective_options("0.9", with_targets=True)
        @seed_option
        @json_option
        def job(**values):
            """Do something."""
            given.update(values)

        result = CliRunner().invoke(job, arguments, env=env, prog_name="vsr-train job")
        if result.exit_code == 0:
            return given or result.stdout
        return result.exit_code, result.stderr.splitlines()[-1]

    return parse_arguments


def test_nothing_given(parse):
    assert parse() == {
        "output_dir": None,
        "embedding": EmbeddingOptions(),
        "objective": ObjectiveOptions(),
        "seed": 0,
        "as_json": False,
    }
    assert EmbeddingOptions().name == "qwen3"


def test_everything_given(parse):
    given = parse(
        *("--embedding-model", "gemma", "--embedding-dim", "256", "--embedding-path", "models/g"),
        *("--embedding-prompt", "query", "--embedding-dtype", "bfloat16", "--embedding-max-tokens", "512"),
        *("--cache-dir", "cache", "--threads", "2", "--device", "cpu"),
        *("--quality-weight", "0.7", "--cost-share", "0.5", "--seed", "3", "--json"),
    )
    assert given["embedding"] == EmbeddingOptions(
        model="gemma",
        dim=256,
        path=Path("models/g"),
        prompt="query",
        dtype="bfloat16",
        max_tokens=512,
        cache_dir=Path("cache"),
        threads=2,
        device="cpu",
    )
    assert given["objective"] == ObjectiveOptions(quality_weight=0.7, cost_share=0.5)
    assert (given["seed"], given["as_json"]) == (3, True)


def test_fallback_means_hash(parse):
    assert parse("--use-fallback")["embedding"].name == "hash"
    assert parse("--use-fallback", "--embedding-model", "hash", "--embedding-dim", "300")["embedding"].name == "hash"
    assert parse("--embedding-model", "bert")["embedding"].name == "bert"


def test_threads_come_from_the_environment(parse):
    assert parse(env={"VSR_NUM_THREADS": "3"})["embedding"].threads == 3
    assert _core.n_threads() == 3
    assert parse("--threads", "1", env={"VSR_NUM_THREADS": "3"})["embedding"].threads == 1
    assert _core.n_threads() == 1
    assert parse("--embedding-file", "v.npy", env={"VSR_NUM_THREADS": "3"})["embedding"].file == Path("v.npy")
    for wrong in ("abc", "0", "1.5"):
        code, message = parse(env={"VSR_NUM_THREADS": wrong})
        assert code == 2
        assert message == (
            f"Error: Invalid value for '--threads' (env var: 'VSR_NUM_THREADS'): '{wrong}' is no number of threads; "
            "expected a whole number of 1 or more."
        )


def test_flags_load_the_embedder_they_describe():
    embedder = EmbeddingOptions(use_fallback=True, dim=64).load()
    assert (embedder.fingerprint.name, embedder.dim) == ("hash", 64)


def test_the_objective_is_the_stored_one_but_for_the_flags():
    stored = Objective(quality_weight=0.7, cost_share=0.5)
    assert ObjectiveOptions().over(stored) == stored
    assert ObjectiveOptions(quality_weight=0.3).over(stored) == Objective(quality_weight=0.3, cost_share=0.5)
    assert ObjectiveOptions(cost_share=0.0).over(stored) == Objective(quality_weight=0.7, cost_share=0.0)


CONFLICTS = {
    "--use-fallback --embedding-model qwen3": (
        "--use-fallback means --embedding-model hash and contradicts --embedding-model qwen3: give one."
    ),
    "--use-fallback --embedding-path m": (
        "--embedding-path has no effect here: the hash embedder has no model files. Leave it out."
    ),
    "--embedding-model hash --embedding-dtype float32": (
        "--embedding-dtype has no effect here: the hash embedder has no model files. Leave it out."
    ),
    "--embedding-file v.npy --use-fallback": (
        "--use-fallback has no effect here: --embedding-file brings ready vectors. Leave it out."
    ),
    "--embedding-file v.npy --embedding-dim 3": (
        "--embedding-dim has no effect here: --embedding-file brings ready vectors. Leave it out."
    ),
    "--quality-weight 1 --cost-share 0.5": (
        "--cost-share has no effect with --quality-weight 1: quality alone counts then."
    ),
    "--target-cost 0.1 --target-latency 2": "--target-cost and --target-latency are two targets: give one.",
    "--target-cost 0.1 --quality-weight 0.5": (
        "--target-cost finds the objective and contradicts --quality-weight: give one."
    ),
    "--target-share gpt=0.3 --cost-share 0.5": (
        "--target-share finds the objective and contradicts --cost-share: give one."
    ),
}


@pytest.mark.parametrize("arguments", CONFLICTS)
def test_a_flag_without_effect_is_wrong_usage(parse, arguments):
    assert parse(*arguments.split()) == (2, f"Error: {CONFLICTS[arguments]}")


@pytest.mark.parametrize("flag", ["path m", "prompt p", "dtype float32", "max-tokens 9"])
@pytest.mark.parametrize("source", ["--use-fallback", "--embedding-file v.npy"])
def test_flags_of_models_with_weights_need_one(parse, flag, source):
    code, message = parse(*source.split(), *f"--embedding-{flag}".split())
    assert code == 2
    assert message.startswith(f"Error: --embedding-{flag.split()[0]} has no effect here: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--embedding-dim 0", "Invalid value for '--embedding-dim': 0 is not in the range x>=1."),
        ("--quality-weight 1.5", "Invalid value for '--quality-weight': 1.5 is not in the range 0.0<=x<=1.0."),
        ("--quality-weight nan", "Invalid value for '--quality-weight': nan is not a finite number."),
        ("--target-cost nan", "Invalid value for '--target-cost': nan is not a finite number."),
        ("--target-latency -1", "Invalid value for '--target-latency': -1.0 is not in the range x>=0.0."),
        ("--target-share gpt", "Invalid value for '--target-share': 'gpt' is no share of a model; expected MODEL=0.3."),
        ("--target-share gpt=2", "Invalid value for '--target-share': 2.0 is not in the range 0.0<=x<=1.0."),
        ("--target-share gpt=x", "Invalid value for '--target-share': 'x' is not a valid float range."),
        ("--seed -1", "Invalid value for '--seed': -1 is not in the range 0<=x<=9223372036854775807."),
        (
            "--embedding-model gpt",
            "Invalid value for '--embedding-model': 'gpt' is not one of 'qwen3', 'gemma', 'bert', 'hash'.",
        ),
    ],
)
def test_values_out_of_range(parse, arguments, message):
    assert parse(*arguments.split()) == (2, f"Error: {message}")


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ("--target-cost 0.1", Target("cost", 0.1)),
        ("--target-latency 2", Target("latency", 2.0)),
        ("--target-share a=b=0.3", Target("share", 0.3, "a=b")),
    ],
)
def test_a_target_is_taken_instead_of_weights(parse, arguments, target):
    objective = parse(*arguments.split())["objective"]
    assert objective.target == target
    assert objective.over(Objective(0.5, 0.5)) == Objective(0.5, 0.5)


def test_help_has_a_heading_for_each_group(parse):
    assert parse("--help") == (Path(__file__).parent / "options_help.txt").read_text(encoding="utf-8")


def test_arguments_reach_the_command_in_place():
    @command("job")
    @click.argument("name")
    @click.pass_context
    @seed_option
    def job(ctx, name, seed):
        """Do something."""
        assert ctx.params["name"] == name
        click.echo(f"{name} {seed}")

    assert CliRunner().invoke(job, ["x", "--seed", "4"]).stdout == "x 4\n"
