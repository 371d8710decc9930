"""The Dockerfile and compose.yaml, parsed and linted. Nothing is built or run: that needs a Docker daemon."""

import os
import re
import shlex
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from search.cli.app import parse
from search.primitives import redact

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
PINNED = re.compile(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+")  # an image with its exact version


def instructions():
    """The instructions of the Dockerfile, in order: each name with its text."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def texts(name):
    return [text for each, text in instructions() if each == name]


def ignored(path):
    """Whether .dockerignore keeps a path out of the image. Its last line that matches decides."""
    result = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        rule = line.removeprefix("!").removeprefix("**/")
        parts = [path, *map(str, Path(path).parents), *(Path(path).parts if "**/" in line else ())]
        if line and not line.startswith("#") and any(fnmatch(part, rule) for part in parts):
            result = not line.startswith("!")
    return result


def test_dockerfile_knows_its_instructions_and_pins_its_image():
    names = [name for name, _ in instructions()]
    assert set(names) <= {
        *("FROM", "ENV", "ARG", "WORKDIR", "COPY", "RUN", "VOLUME"),
        *("USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL", "CMD"),
    }  # no ADD, which fetches addresses
    assert names[0] == "FROM" and PINNED.fullmatch(*texts("FROM"))
    assert names.count("CMD") == names.count("HEALTHCHECK") == 1


def test_dockerfile_ends_as_a_user_who_is_not_root():
    [user] = texts("USER")
    names = [name for name, _ in instructions()]
    assert user not in ("root", "0") and f"--uid 10001 {user}" in " ".join(texts("RUN"))
    assert names.index("USER") > max(at for at, name in enumerate(names) if name in ("RUN", "COPY"))


def test_dockerfile_copies_what_exists_and_what_the_context_has():
    copied = [source for text in texts("COPY") for source in shlex.split(text)[:-1]]
    assert copied == ["requirements.txt", "search", "models", "objectives", "data"]
    assert all((ROOT / source).exists() and not ignored(source) for source in copied)
    for path in (
        *("mlflow.db", "mlruns/service/service.db", ".env", ".git/config", ".venv/bin/python", "tests/x.py"),
        *("data/course/mnist.npz", "data/cache/words.npz", "search/__pycache__/paths.pyc"),
    ):
        assert ignored(path), path


def test_command_of_the_image_is_one_that_the_program_takes_and_that_needs_tokens():
    [command] = texts("CMD")
    python, flag, package, *arguments = yaml.safe_load(command)
    assert (python, flag, package) == ("python", "-m", "search")
    function, bound = parse(arguments)
    assert function.__name__ == "serve" and bound.arguments["host"] == "0.0.0.0"
    assert texts("EXPOSE") == [str(bound.arguments["port"])]
    assert f"http://127.0.0.1:{bound.arguments['port']}/healthz" in texts("HEALTHCHECK")[0]


def test_no_secret_is_in_the_files():
    for name in ("Dockerfile", "compose.yaml", ".dockerignore"):
        text = (ROOT / name).read_text()
        assert not redact.held(text.encode())
        assert not re.search(
            r"(?i)(password|token|secret)\s*[:=]\s*(?!\$\{POSTGRES_PASSWORD:\?)[\w'\"]", text
        ), name


def test_compose_has_pinned_images_checks_and_no_open_port():
    assert SERVICES.keys() == {"service", "database", "mlflow"}
    for name, service in SERVICES.items():
        assert service["restart"] == "unless-stopped", name
        assert "build" in service or PINNED.fullmatch(service["image"]), name
        assert "healthcheck" in service or name == "service", name  # that of the Dockerfile
        assert "no-new-privileges:true" in service["security_opt"] and "privileged" not in service, name
        for port in service.get("ports", ()):
            assert port.startswith(("127.0.0.1:", "${TRIALBOOK_BIND:-127.0.0.1}:")), name
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in COMPOSE["volumes"], name


def test_compose_names_what_the_service_reads():
    service, database = SERVICES["service"], SERVICES["database"]
    storage = service["environment"]["TRIALBOOK_STORAGE"]
    assert storage == f"postgresql://{database['environment']['POSTGRES_USER']}@database/trialbook"
    assert service["environment"]["PGPASSWORD"] == database["environment"]["POSTGRES_PASSWORD"]
    assert service["environment"]["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert service["depends_on"].keys() == {"database", "mlflow"}


@pytest.mark.integration
def test_compose_is_valid_for_docker():
    compose = ["docker", "compose"]
    if not shutil.which("docker") or subprocess.run([*compose, "version"], capture_output=True).returncode:
        pytest.skip("compose.yaml was NOT CHECKED BY DOCKER: its plugin compose is not installed")
    environment = os.environ | {"POSTGRES_PASSWORD": "of-a-test"}
    command = [*compose, "--file", str(ROOT / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
