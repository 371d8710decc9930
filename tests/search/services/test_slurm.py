"""Batch scripts: what is typed gets through the shell as it was typed, and only to the search.

Neither Slurm nor Kubernetes is here: the scripts run with stand-ins for Slurm's programs and for ray, and the
manifest is read.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typed import options_of

from search.cli.app import main, option_names
from search.services import slurm
from search.storage.postgres import PostgresStore

ROOT = Path(__file__).parents[3]
STORAGE = "postgresql://trialbook@db.example:5001/trialbook"
STAND_IN = """#!/bin/bash
printf '%s\\n' "$(basename "$0")" "$@" >> "$SAID"
echo >> "$SAID"
if [ "$2" = --head ]; then
  stat -c '%a %s' "$(dirname "$RAY_AUTH_TOKEN_PATH")" "$RAY_AUTH_TOKEN_PATH" > "$SAID.token"
fi
"""
DIRECTIVES = {  # what sbatch takes, as far as the scripts use it
    "job-name": "[a-z0-9-]+",
    "array": "0-[0-9]+",
    "nodes": "1",
    "ntasks": "1",
    "cpus-per-task": "[0-9]+",
    "exclusive": "",
    "mem": "0",
    "time": "[0-9]{2}:[0-9]{2}:[0-9]{2}",
    "signal": "TERM@[0-9]+",
    "output": "mlruns/slurm-%A_%a.out",
}


@pytest.fixture(autouse=True)
def storage(monkeypatch):
    """Where the studies are; a command line that says otherwise changes it for its own test alone."""
    monkeypatch.setenv("TRIALBOOK_STORAGE", STORAGE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example:5000")


def script(how="ray", jobs=3, **options):
    """A batch script of the bowl."""
    storage = {"storage": os.environ.get("TRIALBOOK_STORAGE")}  # as the command line passes it
    return slurm.slurm(how, jobs, "bowl", {**options, **storage})


def command_of(text):
    """The last line of a script, which searches, as its words."""
    return shlex.split(text.splitlines()[-1])


@pytest.mark.parametrize("how", slurm.SCRIPTS)
def test_a_script_is_one_that_bash_and_sbatch_can_read(how, tmp_path):
    text = script(how, jobs=64)
    (tmp_path / "script").write_text(text)
    assert text.startswith("#!/bin/bash\n") and "not yet run under Slurm" in text and "{{" not in text
    subprocess.run(["bash", "-n", tmp_path / "script"], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", tmp_path / "script"], check=True)
    head, _, body = text.partition("\nset -euo pipefail\n")
    read = dict(re.findall("^#SBATCH --([a-z-]+)=?(.*)$", head, re.MULTILINE))
    assert all(re.fullmatch(DIRECTIVES[name], value) for name, value in read.items())
    assert read["array"] == "0-63" and "#SBATCH" in head and "#SBATCH" not in body
    assert all(line.startswith("#") or not line for line in head.splitlines())


def test_the_search_of_a_script_is_one_that_the_command_line_takes():
    words = command_of(script(trials=200, timeout=90.5, cpus=2.0, data_dir="tests", study="s", stages=True))
    command = words[words.index(".venv/bin/python") :]
    assert command[:4] == [".venv/bin/python", "-m", "search", "search"]
    options = options_of(command[3:])
    assert (options.task, options.trials, options.timeout, options.study) == ("bowl", 200, 90.5, "s")
    assert (options.trainers, options.address, options.cpus) == ("ray", "auto", 2.0)
    assert options.stages and not any(
        word.startswith("--stages") for word in command_of(script(stages=False))
    )
    assert options.data_dir == "tests" and f"--storage={STORAGE}" in command
    assert isinstance(options.store, PostgresStore)


def test_coordinators_join_on_the_storage():
    words = command_of(script("join", trials=9))
    options = options_of(words[words.index("search") + 1 :])
    assert (options.trials, options.join) == (9, True) and f"--storage={STORAGE}" in words
    assert isinstance(options.store, PostgresStore)


@pytest.fixture
def run(tmp_path):
    """`run(text, task)` runs a script as a task of an array, and returns what was run, as words."""
    for program in ("srun", "scancel", "ray"):
        path = tmp_path / ("bin" if program != "ray" else ".venv/bin") / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN)
        path.chmod(0o755)
    for name in (".venv/ready", ".venv/ray"):
        (tmp_path / name).touch()
    (tmp_path / "mlruns").mkdir()

    def run(text, task=0):
        said = tmp_path / "said"
        said.unlink(missing_ok=True)
        slurm = {"SLURM_ARRAY_JOB_ID": "71", "SLURM_ARRAY_TASK_ID": str(task), "SLURM_CPUS_ON_NODE": "8"}
        slurm |= {"SLURM_CPUS_PER_TASK": "4", "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        environment = {**os.environ, **slurm, "SAID": str(said)}
        subprocess.run(["bash", "-c", text], cwd=tmp_path, env=environment, check=True, timeout=20)
        return [each.split("\n") for each in said.read_text().split("\n\n")[:-1]]

    return run


@pytest.mark.parametrize("how", slurm.SCRIPTS)
@pytest.mark.parametrize("hostile", ["'; touch trap; '", '"; touch trap; "', "$(touch trap)", "`touch trap`"])
def test_what_is_typed_gets_through_as_it_was_typed(how, hostile, run, tmp_path):
    hostile += " {{name}} $HOME \\"
    ran = run(script(how, data_dir=hostile, device=hostile))
    search = next(words for words in ran if words[0] == "srun")
    assert {f"--data-dir={hostile}", f"--device={hostile}"} <= set(search)
    assert not (tmp_path / "trap").exists()


def test_the_first_task_is_the_head_and_the_others_join_it(run, tmp_path):
    ran = run(script())
    assert [words[0] for words in ran] == ["ray", "srun", "scancel", "ray"]
    head = ran[0]
    address = f"{head[head.index('--node-ip-address') + 1]}:{head[head.index('--port') + 1]}"
    assert head[1:3] == ["start", "--head"] and ran[2][1] == "71_[1-2]" and ran[3][1] == "stop"
    folder, token = (tmp_path / "said.token").read_text().splitlines()
    assert folder.startswith("700 ") and token.endswith(" 64") and not list((tmp_path / "mlruns").iterdir())

    (tmp_path / "mlruns" / "ray-71").mkdir()
    (tmp_path / "mlruns" / "ray-71" / "address").write_text(f"{address}\n")
    (joined,) = run(script(), task=2)
    assert joined[:4] == ["ray", "start", "--address", address] and "--block" in joined


def test_coordinators_without_one_log_are_not_started(run, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(subprocess.CalledProcessError):
        run(script("join"))


def test_without_its_environment_a_script_ends_at_once(run, tmp_path):
    (tmp_path / ".venv" / "ray").unlink()
    with pytest.raises(subprocess.CalledProcessError) as ended:
        run(script())
    assert ended.value.returncode == 2


@pytest.mark.parametrize(
    "typed, wrong",
    [
        ("--jobs 2", "TASK is missing"),
        ("--task bowl", "JOBS is missing: on how many nodes"),
        ("--task bowl --jobs 2 --how rai", "unknown HOW 'rai': valid are join, ray. Did you mean 'ray'"),
        ("--task bowl --jobs 2 --how join", "HOW=join needs STORAGE=postgresql://"),
        ("--task bowl --jobs 2 --study ../up", "STUDY '../up' is no name"),
        ("--task bowl --jobs 2 --data curse", "unknown DATA 'curse'"),
        ("--task bowl --jobs 2 --device=a\nb", "DEVICE 'a\\nb' is not valid: one line of text"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(typed, wrong, home, capsys, monkeypatch):
    monkeypatch.delenv("TRIALBOOK_STORAGE")
    assert main(["slurm", *typed.split(" ")]) == 2
    said = capsys.readouterr()
    assert wrong in said.err and said.err.count("\n") == 1 and not said.out and not home.exists()


@pytest.mark.parametrize("url", ["postgresql://me:hush@db/trialbook", "postgresql://db/x?password=hush"])
def test_a_storage_with_a_password_is_refused(url, monkeypatch, capsys):
    monkeypatch.setenv("TRIALBOOK_STORAGE", url)
    assert main(["slurm", "--task", "bowl", "--jobs", "2", "--how", "join"]) == 2
    said = capsys.readouterr()
    assert "STORAGE holds a password" in said.err and "hush" not in said.err + said.out


def test_a_share_of_a_machine_is_for_ray_alone(capsys):
    assert main(["slurm", "--task", "bowl", "--jobs", "2", "--how", "join", "--gpus", "1"]) == 2
    assert "GPUS is for HOW=ray alone" in capsys.readouterr().err


def test_make_slurm_prints_a_script(capsys):
    assert main(["slurm", "--task", "bowl", "--jobs", "2"]) == 0
    assert capsys.readouterr().out == script(jobs=2)


def test_the_manifest_is_a_ray_job_of_this_version_of_ray_whose_search_the_command_line_takes():
    text = (ROOT / "search" / "services" / "slurm" / "rayjob.yaml").read_text()
    job = yaml.safe_load(text)
    assert "not yet run on a Kubernetes cluster" in text
    assert (job["apiVersion"], job["kind"], job["metadata"]["name"]) == ("ray.io/v1", "RayJob", "trialbook")
    cluster = job["spec"]["rayClusterSpec"]
    assert f"ray=={cluster['rayVersion']}" in (ROOT / "requirements-ray.txt").read_text().split()
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert isinstance(group["rayStartParams"], dict)
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        assert container["image"] == "IMAGE" and container["resources"]["requests"].keys() == {
            "cpu",
            "memory",
        }
        assert all(isinstance(each.get("value", ""), str) for each in container.get("env", []))
    workers = cluster["workerGroupSpecs"][0]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]

    folder, _, command = job["spec"]["entrypoint"].partition(" && ")
    assert folder == "cd /trialbook" and command.startswith("python -m search ")
    options = options_of(shlex.split(command)[3:])
    assert (options.task, options.trainers, options.address) == ("digits", "ray", "auto")


def test_no_password_is_in_the_manifest():
    head = yaml.safe_load((ROOT / "search" / "services" / "slurm" / "rayjob.yaml").read_text())
    containers = head["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each for each in containers[0]["env"]}
    assert "value" not in environment["PGPASSWORD"]
    assert environment["PGPASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "trialbook", "key": "password"}


def test_each_option_of_a_search_but_for_where_it_trains_and_what_it_prints_is_one_of_a_script():
    search, slurm = set(option_names("search")), set(option_names("slurm"))
    assert slurm - search == {"how"} and search - slurm <= {
        "trainers",
        "address",
        "join",
        "verbose",
        "server",
        "id",
    }
