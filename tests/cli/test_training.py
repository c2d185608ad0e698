import pytest

from genjax.cli.launch import in_cluster
from genjax.recipes import split_list


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, False),
        ({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4"}, False),  # in sbatch's own script
        ({"SLURM_JOB_ID": "1", "SLURM_STEP_NUM_TASKS": "4"}, True),
        ({"SLURM_JOB_ID": "1", "SLURM_STEP_NUM_TASKS": "1"}, False),
        ({"TPU_WORKER_HOSTNAMES": "a,b", "TPU_WORKER_ID": "0"}, True),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, False),
    ],
)
def test_processes_of_a_cluster_job_are_noticed(env: dict[str, str], expected: bool) -> None:
    assert in_cluster(env) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3,1e-4", ["1e-3", "1e-4"]),
        ("(64, 32),(8,)", ["(64, 32)", "(8,)"]),
        ("relu", ["relu"]),
        ("1,,2", ["1", "", "2"]),
        ("", [""]),
    ],
)
def test_commas_in_brackets_do_not_separate(text: str, expected: list[str]) -> None:
    assert split_list(text) == expected
