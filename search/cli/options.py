"""The options of all commands: their types, their lines of help, and how they are grouped.

Options that belong together are fields of a frozen dataclass. Untyped options are None.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from cyclopts import Parameter
from cyclopts import Token as TypedToken

from search.cli.readers import (
    Reader,
    anything,
    database,
    flag,
    folder,
    number,
    path,
    replicates,
    seconds,
    sentence,
    server,
    share,
    store,
    whole,
)
from search.errors import UsageError
from search.storage import StudyStore
from search.tracking import TrackingStore

Group = TypeVar("Group")

TIMEOUT = 300  # seconds: the default budget


def missing(name: str, hint: str) -> UsageError:
    """The UsageError for a missing option. `hint` names the valid values, or asks for one.

    In `TASK=x make search`, make leaves TASK in the environment, where no option is read.
    """
    option = name.upper().replace("-", "_")
    message = f"{option} is missing: {hint}"
    if value := os.environ.get(option):
        message += f". {option}={value!r} of the environment is not read: type it after the command"
    return UsageError(message)


def require_folder(out: str | None) -> None:
    """Raise UsageError if OUT is given and is not a folder."""
    if out is not None and not (out and (os.path.isdir(out) or not os.path.exists(out))):
        raise UsageError(f"OUT {out!r} is not a folder")


def option(read: Reader, metavar: str, text: str, default: str = "", name: Sequence[str] = ()) -> Parameter:
    """An option: its reader, and its line of help.

    Args:
        metavar: the kind of its value.
        text: its meaning.
        default: its default, in words.
        name: its spellings, if they differ from the parameter's name.
    """

    def convert(_type: Any, tokens: Sequence[TypedToken]) -> Any:
        keyword, typed = tokens[-1].keyword or "", tokens[-1].value
        shown = keyword.lstrip("-").upper().replace("-", "_")
        if typed == "--":
            raise UsageError(f"{shown} '--' is not valid")
        return read(shown, typed)

    return Parameter(
        name=name or None,
        converter=convert,
        metavar=metavar,
        help=text,
        show_default=default or False,
        show_choices=False,
        allow_repeating=True,
    )


def switch(text: str) -> Parameter:
    """An option without a value, or with 1 or 0."""
    return option(flag, "1", text)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def group(options: type[Group]) -> type[Group]:
    """Make a class a frozen dataclass whose fields are options."""
    return Parameter(name="*")(dataclass(frozen=True, kw_only=True)(options))


Switch = Literal[True, False]  # a bool would take no value
Text = str | None
Task = Annotated[Text, option(anything, "NAME", "which task of objectives/")]
Study = Annotated[Text, option(anything, "NAME", "which study", "the task's name and its data's")]
Data = Annotated[Text, option(anything, "SOURCE", "which source of data", "course if its file is here")]
DataDir = Annotated[
    Text, option(folder, "FOLDER", "where the course's own files are", "$DATA_DIR, or data/course")
]
Threshold = Annotated[
    float | None, option(number, "SCORE", "prefer the cheapest configuration that reaches this score")
]
Seed = Annotated[int | None, option(whole(0, 2**31 - 1), "N", "all seeds of the study derive from it", "0")]
Device = Annotated[Text, option(anything, "DEVICE", "cpu, or cuda: a GPU", "cpu")]
Out = Annotated[Text, option(path, "FOLDER", "write into this folder")]
Jobs = Annotated[int | None, option(whole(1, 256), "N", "trainers at once", "one a core")]
Nodes = Annotated[int | None, option(whole(1, 256), "N", "nodes of the cluster, or coordinators")]
Trainers = Annotated[
    Text, option(anything, "KIND", "processes, inline to debug, or ray for a cluster", "processes")
]
Address = Annotated[
    Text, option(anything, "ADDRESS", "a Ray cluster: auto, or ray://host:port", "one is started here")
]
Port = Annotated[int | None, option(whole(1, 65535), "N", "where it is served")]
Host = Annotated[
    Text, option(anything, "ADDRESS", "this machine's address for others", "127.0.0.1: none can reach it")
]
DATABASE = "the database of the studies: postgresql://user@host/name"
Service = Annotated[Text, option(server, "URL", "search on this service, with the token $TRIALBOOK_TOKEN")]
Storage = Annotated[Text, option(database, "URL", DATABASE, "$TRIALBOOK_STORAGE, or files")]
CHOSEN: Any = None  # `search.cli.app` replaces it: a command always gets a store
Store = Annotated[
    StudyStore, option(store, "URL", DATABASE, "$TRIALBOOK_STORAGE, or files", name=["--storage"])
]
Tracking = Annotated[TrackingStore, Parameter(parse=False)]  # chosen by `search.cli.app`, not typed
Token = Annotated[Text, Parameter(parse=False)]  # of a service: read by `search.cli.app`, never typed


@group
class StudyName:
    """A study, by its task or its name."""

    task: Task = None
    study: Study = None


@group
class TaskData:
    """A task and its data."""

    task: Task = None
    data: Data = None
    data_dir: DataDir = None


@group
class StudyData(TaskData):
    """A study, by its task, its data or its name."""

    study: Study = None


@group
class OwnTrial(StudyData):
    """A configuration of one's own, its study and data."""

    values: Annotated[
        Text,
        option(anything, '"NAME=VALUE ..."', "hyperparameters; the others take defaults", name=["--with"]),
    ] = None
    seed: Seed = None
    device: Device = None


@group
class StudyTrials(StudyName):
    """Trials of a study, named in one of three ways, and a reason."""

    trials: Annotated[Text, option(anything, "3-9,14", "these trials, by number")] = None
    since: Annotated[Text, option(anything, "WHEN", "the trials since a time, or since a commit")] = None
    code: Annotated[Text, option(anything, "DIGEST", "the trials of a fingerprint of the code")] = None
    reason: Annotated[Text, option(sentence, "TEXT", "why; the study keeps it")] = None


@group
class Budget:
    """The limits of a search, its study and data, and the resources of each trainer."""

    trials: Annotated[
        int | None, option(whole(1, 1_000_000), "N", "trials in total, with earlier ones", "no limit")
    ] = None
    timeout: Annotated[
        float | None,
        option(
            seconds,
            "S",
            "seconds to search, confirmation included; with TRIALS= alone no limit",
            str(TIMEOUT),
        ),
    ] = None
    confirm: Annotated[
        int | None, option(replicates, "N", "fresh seeds of a configuration at most; 0 confirms none", "5")
    ] = None
    bar: Annotated[
        float | None, option(number, "SCORE", "stop once a configuration reaches this score with 95%")
    ] = None
    stages: Annotated[Switch, switch("begin in the course's order: rates, then widths, then depths")] = False
    study: Study = None
    seed: Seed = None
    data: Data = None
    data_dir: DataDir = None
    old: Annotated[
        Text, option(anything, "HOW", "trials of other code, ranges or data: supersede, or void")
    ] = None
    device: Device = None
    cpus: Annotated[float | None, option(share, "N", "CPUs of each trainer of a cluster", "1")] = None
    gpus: Annotated[
        float | None, option(share, "N", "GPUs of each trainer; with 0.25, four share one", "0")
    ] = None
    memory: Annotated[
        float | None, option(share, "GIB", "memory of each trainer of a cluster", "not limited")
    ] = None


@group
class SearchOptions(Budget):
    """All options of a search, except its task and its stores."""

    jobs: Jobs = None
    trainers: Trainers = None
    address: Address = None
    join: Annotated[Switch, switch("work on a study of a database together with other searches")] = False
    verbose: Annotated[Switch, switch("print each start and each end, and some epochs")] = False
    server: Service = None
    id: Annotated[int | None, option(whole(1, 2**31 - 1), "N", "with SERVER=: show this search again")] = None
