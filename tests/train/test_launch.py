"""The files of launch/: accelerate and DeepSpeed read them, and the Slurm script saves, queues itself again and resumes.

Slurm is played by small programs on PATH that behave as its own do where it matters: srun kills its tasks when it gets SIGTERM,
scancel signals the task of a step and fails where there is no such step. No GPU and no DeepSpeed is needed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.processes import wait_until

ACCELERATE = ROOT / "launch" / "accelerate"
SBATCH = ROOT / "launch" / "slurm" / "critique-coder.sbatch"
GPUS = {"1gpu": (1, 1), "8gpu": (1, 8), "16gpu": (2, 16)}  # nodes, processes
FILES = sorted(ACCELERATE.glob("*.yaml"))

needs_accelerate = pytest.mark.skipif(
    importlib.util.find_spec("accelerate") is None,
    reason="the extra [train] is not installed: no accelerate to read them",
)


needs_trl = pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="the extra [train] is not installed: no TRL to read recipes"
)


def test_there_is_a_file_for_1_for_8_and_for_16_gpus() -> None:
    assert {path.stem for path in FILES} == {*GPUS}


@needs_accelerate
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_reads_the_file_as_so_many_nodes_and_processes_in_bf16(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    read = load_config_from_file(str(path))
    assert (read.num_machines, read.num_processes, read.mixed_precision) == (*GPUS[path.stem], "bf16")
    assert read.use_cpu is False
    assert str(read.distributed_type.value) == ("NO" if path.stem == "1gpu" else "DEEPSPEED")


@needs_accelerate
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_key_for_deepspeed_is_an_option_of_accelerate_launch(path: Path) -> None:
    """Accelerate refuses a wrong key at the top, and keeps still about one under deepspeed_config."""
    from accelerate.commands.launch import launch_command_parser

    options = {action.dest for action in launch_command_parser()._actions}
    assert {*_keys(path)} <= options


@needs_accelerate
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_workers_get_what_the_file_says(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By accelerate's own way from its command line to what it would start."""
    from accelerate.commands import launch
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_simple_launcher_cmd_env

    launched: dict[str, Any] = {}
    for name in ("simple_launcher", "multi_gpu_launcher", "deepspeed_launcher"):
        monkeypatch.setattr(launch, name, lambda args, name=name: launched.update({name: args}))
    nodes, processes = GPUS[path.stem]
    node = (
        ["--machine_rank", "1", "--main_process_ip", "127.0.0.1", "--main_process_port", "29999"] if nodes > 1 else []
    )
    command = ["--config_file", str(path), *node, "-m", "crl_train", "recipe.yaml"]
    launch.launch_command(launch.launch_command_parser().parse_args(command))
    [(name, args)] = launched.items()
    if path.stem == "1gpu":
        command, environment = prepare_simple_launcher_cmd_env(args)
        assert name == "simple_launcher" and command[-3:] == ["-m", "crl_train", "recipe.yaml"]
        assert environment["ACCELERATE_MIXED_PRECISION"] == "bf16"
        return
    _, environment = prepare_deepspeed_cmd_env(args)
    assert name == "deepspeed_launcher"
    assert (args.training_script, args.module) == ("crl_train", True)
    assert (int(args.nproc_per_node), int(getattr(args, "nnodes", 1))) == (processes // nodes, nodes)
    assert {key: environment.get(key) for key in DEEPSPEED_ENVIRONMENT} == DEEPSPEED_ENVIRONMENT


DEEPSPEED_ENVIRONMENT = {
    "ACCELERATE_USE_DEEPSPEED": "true",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3",
    "ACCELERATE_DEEPSPEED_ZERO3_INIT": "true",
    "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL": "true",
    "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE": "none",
    "ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE": "none",
}


def _keys(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8")).get("deepspeed_config") or {}
    assert isinstance(found, dict)
    return found


def test_bash_reads_the_slurm_script() -> None:
    subprocess.run(["bash", "-n", SBATCH], check=True)


def test_slurm_is_asked_to_requeue_and_to_warn_the_shell_ahead_of_the_time_limit() -> None:
    asked = [line.removeprefix("#SBATCH ") for line in SBATCH.read_text().splitlines() if line.startswith("#SBATCH")]
    assert {"--requeue", "--signal=B:TERM@300", "--open-mode=append"} <= {*asked}


BIN = {
    # As Slurm's own: SIGTERM to srun is the end of its tasks, and no warning.
    "srun": """
        #!/usr/bin/env bash
        while [[ $1 == -* ]]; do shift; done
        exec 9>"$TOY/lock"; flock 9
        step=$(ls "$TOY/steps" | wc -l)
        SLURM_PROCID=0 SLURM_STEP_ID=$step "$@" 9>&- &
        echo $! >"$TOY/steps/$step"
        exec 9>&-
        trap 'kill -KILL %1; echo "srun forced $step to end" >>"$TOY/log"; exit 137' TERM
        wait %1
    """,
    "scancel": """
        #!/usr/bin/env bash
        [[ $1 == --signal=TERM && $2 == 7.* ]] || { echo "scancel: $*" >>"$TOY/log"; exit 1; }
        [[ -f $TOY/steps/${2#7.} ]] && kill -TERM "$(cat "$TOY/steps/${2#7.}")"
    """,
    "scontrol": """
        #!/usr/bin/env bash
        case "$1 $2" in
            "show hostnames") printf '%s\\n' $3 ;;
            "show job") echo "   JobState=$(cat "$TOY/state") Reason=None Dependency=(null)" ;;
            *) echo "scontrol $*" >>"$TOY/log" ;;
        esac
    """,
    # Of its own group, as the workers of a real launcher: it hears only what is sent to it.
    "accelerate": """
        #!/usr/bin/env bash
        echo "accelerate $*" >>"$TOY/log"
        echo "shutdown timeout $TORCH_ELASTIC_SHUTDOWN_TIMEOUT" >>"$TOY/log"
        [[ ! -f $TOY/ends ]] || exit "$(cat "$TOY/ends")"
        trap 'echo "the step got SIGTERM" >>"$TOY/log"; sleep 2; echo "checkpoint" >>"$TOY/log"; exit 1' TERM
        touch "$TOY/trains"
        while :; do sleep 0.1; done
    """,
    "vllm": """
        #!/usr/bin/env bash
        echo "vllm $* with dev mode $VLLM_SERVER_DEV_MODE" >>"$TOY/log"
        trap 'echo "the server got SIGTERM" >>"$TOY/log"' TERM
        exec python -c "
        import socket, sys, time
        listening = socket.create_server(('127.0.0.1', int(sys.argv[1])))
        while True: time.sleep(1)" "$6"
    """,
}


class Job:
    """A job as Slurm starts it: a script, its variables, what it and its steps did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("SLURM_")},
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "TOY": str(self.folder),
            "VENV": str(self.folder / "venv"),
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NODELIST": "127.0.0.1",
            "SLURM_CPUS_ON_NODE": "2",
            **variables,
        }
        process = subprocess.Popen(
            ["bash", SBATCH, *(arguments or ["recipe.yaml"])],
            cwd=self.folder,
            env=environment,
            text=True,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    def wait_for(self, name: str) -> None:
        assert wait_until((self.folder / name).exists), self.log()

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def end(self) -> None:
        """End what is still there, all of which is of the session that the script began."""
        for process in self.started:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    for name, program in BIN.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(program).lstrip())
        path.chmod(0o755)
    (tmp_path / "steps").mkdir()
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copytree(ROOT / "launch", tmp_path / "launch")
    (tmp_path / "recipe.yaml").write_text("model_name_or_path: some/model\n")
    (tmp_path / "state").write_text("RUNNING")
    job = Job(tmp_path)
    yield job
    job.end()


def test_on_sigterm_the_step_is_told_its_checkpoint_waited_for_and_the_job_queued_again(job: Job) -> None:
    process = job.start("recipe.yaml", "--learning_rate", "5e-7")
    job.wait_for("trains")
    process.send_signal(signal.SIGTERM)  # to the shell alone, as --signal=B: does
    said, _ = process.communicate(timeout=60)
    log = job.log().splitlines()
    assert log[2:] == ["the step got SIGTERM", "checkpoint", "scontrol requeue 7"], said
    assert log[0].endswith("-m crl_train recipe.yaml --learning_rate 5e-7")  # the first start: nothing to resume
    assert "launch/accelerate/8gpu.yaml --machine_rank 0 --main_process_ip 127.0.0.1" in log[0]
    assert 240 <= int(log[1].removeprefix("shutdown timeout ")) < 300  # torch's own 30 s would cut a checkpoint short


def test_a_job_that_slurm_starts_again_resumes(job: Job) -> None:
    (job.folder / "ends").write_text("0")
    said, _ = (process := job.start("recipe.yaml", "--seed", "3", SLURM_RESTART_COUNT="1")).communicate(timeout=60)
    assert process.returncode == 0, said
    assert job.log().splitlines()[0].endswith("-m crl_train recipe.yaml --seed 3 --resume")
    assert "requeue" not in job.log()


def test_a_run_that_fails_is_not_queued_again_and_its_status_is_the_jobs(job: Job) -> None:
    (job.folder / "ends").write_text("3")
    said, _ = (process := job.start()).communicate(timeout=60)
    assert (process.returncode, "requeue" in job.log()) == (3, False), said


def test_a_job_that_scancel_ends_is_not_queued_again(job: Job) -> None:
    process = job.start()
    job.wait_for("trains")
    (job.folder / "state").write_text("CANCELLED")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert job.log().splitlines()[2:] == ["the step got SIGTERM", "checkpoint"], said


def test_a_checkpoint_that_takes_too_long_does_not_keep_the_job_from_its_place_in_the_queue(job: Job) -> None:
    process = job.start(SAVE_S="1")
    job.wait_for("trains")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert job.log().splitlines()[2:4] == ["the step got SIGTERM", "scontrol requeue 7"], said


def test_two_nodes_are_trained_on_by_the_file_for_16_gpus(job: Job) -> None:
    (job.folder / "ends").write_text("0")
    job.start(SLURM_JOB_NODELIST="127.0.0.1 127.0.0.2").communicate(timeout=60)
    assert "launch/accelerate/16gpu.yaml --machine_rank 0 --main_process_ip 127.0.0.1" in job.log()


@pytest.mark.parametrize(
    ("nodes", "variables", "settings"),
    [
        ("127.0.0.1", {}, ""),
        ("127.0.0.1 127.0.0.2", {}, " --set processes=16 --set gradient_accumulation_steps=32"),
        ("127.0.0.1", {"SLURM_GPUS_ON_NODE": "4"}, " --set processes=4 --set gradient_accumulation_steps=128"),
    ],
    ids=["1 node", "2 nodes", "4 GPUs"],
)
def test_the_batches_of_a_recipe_are_made_by_the_processes_of_the_job(
    nodes: str, variables: dict[str, str], settings: str, job: Job
) -> None:
    (job.folder / "ends").write_text("0")
    shutil.copy(ROOT / "recipes" / "critique-coder-8b.yaml", job.folder / "recipe.yaml")
    job.start("recipe.yaml", "--seed", "3", SLURM_JOB_NODELIST=nodes, **variables).communicate(timeout=60)
    assert job.log().splitlines()[0].endswith(f"-m crl_train recipe.yaml{settings} --seed 3")


def test_a_recipe_whose_update_does_not_divide_is_refused(job: Job) -> None:
    (job.folder / "recipe.yaml").write_text("processes: 3\ngradient_accumulation_steps: 3\n")
    told, _ = (process := job.start()).communicate(timeout=60)
    assert process.returncode == 2 and not job.log()
    assert "its update of 3 processes cannot be made by 8: set processes, gradient_accumulation_steps" in told


def commands_for_16() -> list[list[str]]:
    """Every command for 16 GPUs that is written down, one of accelerate's as its words."""
    found = []
    for path in (ACCELERATE / "16gpu.yaml", ROOT / "docs" / "training.md"):
        text = re.sub(r"\\\n[# ]*", "", path.read_text(encoding="utf-8"))
        found += [
            line.split("# ")[-1].split()
            for line in text.splitlines()
            if "accelerate launch" in line and "16gpu" in line
        ]
    return found


@needs_trl
def test_the_commands_for_16_gpus_make_the_same_update_and_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainingArguments

    from crl_data.errors import InputError
    from crl_train.batches import shape_of
    from crl_train.recipe_file import load_job
    from crl_train.train import _check_processes

    monkeypatch.setattr(
        TrainingArguments, "world_size", property(lambda self: 16)
    )  # as with WORLD_SIZE=16, and no 15 others
    commands = commands_for_16()
    assert len(commands) >= 2
    for command in commands:
        settings = [word for place, word in enumerate(command) if command[place - 1] == "--set"]
        for name in ("critique-coder-4b.yaml", "critique-coder-8b.yaml"):
            path = ROOT / "recipes" / name
            job = load_job(path, settings, on_processor=True)
            _check_processes(job)
            shape = shape_of(job)
            assert (shape.processes, shape.prompts, shape.completions_an_update, shape.updates) == (16, 128, 512, 2)
            with pytest.raises(InputError, match=r"processes: expected 8, .* got 16"):
                _check_processes(load_job(path, on_processor=True))


def test_with_a_server_the_last_node_generates_and_only_the_training_gets_sigterm(job: Job) -> None:
    with _free_port() as port:
        server_port = str(port)
    process = job.start(SLURM_JOB_NODELIST="127.0.0.2 127.0.0.1", VLLM_SERVER="1", SERVER_PORT=server_port)
    job.wait_for("trains")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    vllm, accelerate, _, *after = job.log().splitlines()
    assert vllm.startswith("vllm serve some/model --host 0.0.0.0 --port") and vllm.endswith("with dev mode 1")
    assert '--weight-transfer-config {"backend": "nccl"} --logprobs-mode processed_logprobs --max-logprobs -1' in vllm
    assert "8gpu.yaml --machine_rank 0 --main_process_ip 127.0.0.2" in accelerate
    assert accelerate.endswith(
        f"--use_vllm true --vllm_mode server --vllm_server_host 127.0.0.1 --vllm_server_port {server_port}"
    )
    assert after[:3] == ["the step got SIGTERM", "checkpoint", "scontrol requeue 7"], said


def _free_port() -> Any:
    import socket
    from contextlib import contextmanager

    @contextmanager
    def port() -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            yield listening.getsockname()[1]

    return port()


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["no-such.yaml"], {}, "no-such.yaml: expected a recipe, got no such file in"),
        (["recipe.yaml"], {"VENV": "no-venv"}, "VENV: expected an environment with crl-data[train], got no-venv in"),
        (["recipe.yaml"], {"VLLM_SERVER": "1"}, "VLLM_SERVER=1: expected 2 nodes or more, got 1: add --nodes=2"),
        (["recipe.yaml"], {"SLURM_JOB_NODELIST": "a b c"}, "CONFIG: expected an accelerate file for 3 nodes, got none"),
    ],
    ids=["recipe", "environment", "server", "nodes"],
)
def test_what_is_wrong_is_one_line(job: Job, arguments: list[str], variables: dict[str, str], said: str) -> None:
    process = job.start(*arguments, **variables)
    told, _ = process.communicate(timeout=60)
    assert (process.returncode, told.count("\n")) == (2, 1)
    assert f"critique-coder.sbatch: {said}" in told


@pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="the extra [train] is not installed: no TRL to ask how it serves"
)
def test_the_server_is_started_as_trl_would_start_it() -> None:
    from trl.scripts.vllm_serve import ScriptArguments, build_command

    command = build_command(ScriptArguments(model="some/model"))
    script = SBATCH.read_text()
    assert "VLLM_SERVER_DEV_MODE=1" in script
    for option in command[command.index("--weight-transfer-config") :]:
        assert option in script
