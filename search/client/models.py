"""What travels between the service, its client and its pages: requests and answers, typed."""

import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, StringConstraints

from search.storage.base import NAME


def _in_utc(time: datetime.datetime) -> datetime.datetime:
    return time.replace(tzinfo=datetime.UTC) if time.tzinfo is None else time


Time = Annotated[datetime.datetime, AfterValidator(_in_utc)]
Value = bool | int | float | str
MOST_TRIALS, MOST_SECONDS, MOST_SEED = 1_000_000, 9_999_999, 2**31 - 1
NOT_YET = "Not there yet"  # the title of the problem that a search has no winner, no script, no study yet
DEFAULT_TIMEOUT = 300.0  # seconds, where neither limit is given: as `make search` has it

Trials = Annotated[int, Field(ge=1, le=MOST_TRIALS, description="trials in total, with earlier ones")]
Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS, description="seconds to search, in total")]
Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$", max_length=30)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class State(StrEnum):
    """How far a search is."""

    QUEUED = "queued"  # it waits for its turn
    SEARCHING = "searching"  # its process runs: it searches, or freezes and packs the winner
    PAUSED = "paused"  # a person, a quota or a signal stopped it; it can be resumed
    DONE = "done"  # it ended by itself or at a limit
    FAILED = "failed"  # its process ended with an error
    CANCELLED = "cancelled"


def example(**values: Any) -> ConfigDict:
    """An example of a request, for the document of the API."""
    return ConfigDict(json_schema_extra={"examples": [values]})


class Strict(BaseModel):
    """A request: a field that is not known is an error, as it is probably misspelt."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SearchRequest(Strict):
    """A search to start."""

    model_config = example(task="langid", timeout=120)

    task: Text = Field(description="one of the tasks of `/api/tasks`")
    data: Text | None = Field(None, description="one of the task's sources of data")
    trials: Trials | None = None
    timeout: Seconds | None = None
    threshold: float | None = Field(None, description="stop once a score is reached with 95%")
    seed: int = Field(0, ge=0, le=MOST_SEED, description="all seeds of the study derive from it")
    name: Name | None = Field(None, description="of the study, after its owner's; by default task-number")


class ExtendRequest(Strict):
    """Higher limits of a search."""

    model_config = example(timeout=600)

    trials: Trials | None = None
    timeout: Seconds | None = None


class TrialRequest(Strict):
    """One's own configuration. Hyperparameters that are not named take the task's defaults."""

    model_config = example(params={"hidden_size": 300, "learning_rate": 0.001})

    params: dict[Text, Value] = Field(max_length=200)


class VoidRequest(Strict):
    """Trials that do not count, or count again."""

    model_config = example(trials=[3, 4], reason="the mask was wrong")

    trials: list[Annotated[int, Field(ge=0, le=MOST_TRIALS)]] = Field(
        min_length=1, max_length=10_000, description="their numbers"
    )
    reason: Reason
    restore: bool = Field(False, description="let them count again")


class Range(BaseModel):
    """The searched range of a hyperparameter, and the task's default."""

    name: str
    range: str
    default: Value | None


class Task(BaseModel):
    """A task that can be searched."""

    name: str
    question: str
    metric: str = ""
    direction: Literal["", "minimize", "maximize"] = ""
    sources: list[str] = []
    default_source: str = ""
    ranges: list[Range] = []
    problem: str = Field(default="", description="why the task cannot be searched; empty if it can")


class Change(BaseModel):
    """A change of a search's state."""

    model_config = ConfigDict(from_attributes=True)

    state: State
    person: str
    time: Time
    reason: str


class Search(BaseModel):
    """A search in the queue."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    owner: str
    task: str
    data: str
    study: str
    trials: int | None
    timeout: float | None
    threshold: float | None
    seed: int
    state: State
    wanted: Literal["", "paused", "cancelled"] = Field(
        description="the state that was asked for, while its process ends"
    )
    step: str = Field(description="what its process does: search, try, export or handin")
    reason: str = Field(description="why it is in its state")
    created: Time
    started: Time | None
    ended: Time | None
    jobs: int = Field(description="trainers that work for it now")
    seconds_used: float
    core_seconds: float
    before: int | None = Field(None, description="searches that start before it")
    expected_start: Time | None = Field(None, description="at the latest, if all goes on")
    expected_end: Time | None = Field(description="at the latest, of a running search")


class Detail(Search):
    """A search with its history."""

    changes: list[Change]
    has_script: bool
    has_handin: bool
    mlflow: str | None = Field(description="the address of its trials in MLflow's pages")


class Trial(BaseModel):
    """A trial of a search, with the estimate of its configuration over seeds."""

    number: int
    state: str
    kind: str
    paused: bool
    replicate_of: int | None
    params: dict[str, Any]
    epochs: int
    of_epochs: int | None
    latest: float | None = Field(description="the validation metric after the latest epoch")
    score: float | None
    standard_error: float | None
    estimate: float | None
    estimate_standard_error: float | None
    seeds: int
    seconds: float
    weights: int | None
    why_tried: str
    why_ended: str
    void: str


class Winner(BaseModel):
    """The configuration that wins so far."""

    trial: int
    metric: str
    estimate: float
    standard_error: float
    seeds: int
    confirmed: bool
    expected_loss: str
    config: dict[str, Any]
    params: dict[str, Any]
    weights: int | None
    seconds: float
    odds: str = Field(description="how probably as much time again finds nothing better")


class Progress(BaseModel):
    """How a search stands."""

    finished: int = 0
    training: int = 0
    paused: int = 0
    fresh_seeds: int = 0
    kinds: dict[str, int] = {}
    expected_end: Time | None = Field(None, description="at the latest")
    winner: Winner | None = None


class Problem(BaseModel):
    """An error, as RFC 9457 has it: `detail` says what was wrong, and what is valid."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class Accepted(BaseModel):
    """A request that the search's process takes next."""

    request: str
    search: Search


class Event(BaseModel):
    """Something that happened in a search: see `search.services.web.feeds.events`."""

    id: str
    kind: str = Field(description="such as started, epoch, ended, state, progress, end")
    data: Json[dict[str, Any]]

    @property
    def record(self) -> int:
        """The number of the study's records up to here."""
        return int(self.id.partition(".")[0])
