"""What docs/cluster.md tells to type can be typed."""

import re
from pathlib import Path

from typed import all_options

from search.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "cluster.md").read_text()
OF_OTHERS = {"RAY_AUTH_MODE", "PGPASSFILE"}  # variables that Ray and PostgreSQL read


def test_its_verbs_and_options_are_those_of_the_command_line():
    verbs = set(re.findall("`?make ([a-z-]+)", TEXT)) - {"setup"}
    assert {"search", "stack", "slurm", "copy"} <= verbs <= COMMANDS.keys()
    options = {name.lower() for name in set(re.findall(r"\b([A-Z_]+)=", TEXT)) - OF_OTHERS}
    assert (
        {"storage", "join", "trainers", "cpus", "gpus", "memory", "how"}
        <= options
        <= {name.replace("-", "_") for name in all_options()}
    )


def test_the_files_that_it_names_are_there():
    named = re.findall(r"`((?:search|docs)/[a-z/.-]+)`", TEXT)
    assert named and all((ROOT / name).exists() for name in named)


def test_its_image_has_the_version_of_ray_that_is_pinned():
    (version,) = re.findall("FROM rayproject/ray:([0-9.]+)-py311", TEXT)
    assert f"ray=={version}" in (ROOT / "requirements-ray.txt").read_text().split()
