"""The queue: who asked for which search, its state, and whose turn it is.

States change here alone, each with the person and the time. A running search may be `wanted` paused or
cancelled: the runner then ends its process, also if the service itself ended in between.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from search.client.models import DEFAULT_TIMEOUT, SearchRequest, State
from search.errors import StudyConflict, UsageError
from search.services.queue.tables import Change, Repeat, Search, now, reading

SERVICE = "service"  # the person of changes that nobody asked for
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
TAKES_REQUESTS = (State.QUEUED, State.SEARCHING, State.PAUSED, State.DONE, State.FAILED)
MAX_OPEN = 100  # searches of a person that have not ended
GUESS = 300.0  # seconds of a search that has no limit of time, to tell when others start


class Queue:
    """The searches of all persons.

    Args:
        engine: of the database of the service.
        quota: core-seconds that a person may use; None for no limit.
    """

    def __init__(self, engine: Engine, quota: float | None = None) -> None:
        self._engine, self._reader, self.quota = engine, reading(engine), quota

    # Reading

    def find(self, number: int) -> Search | None:
        """A search, with its changes."""
        with Session(self._reader) as session:
            return session.get(Search, number, options=[selectinload(Search.changes)])

    def all(self, owner: str | None = None, state: State | None = None) -> Sequence[Search]:
        """The searches of a person, or of all; those in a state, or all. The newest is the first."""
        query = select(Search).order_by(Search.id.desc())
        query = query if owner is None else query.where(Search.owner == owner)
        query = query if state is None else query.where(Search.state == state)
        with Session(self._reader) as session:
            return session.scalars(query).all()

    def these(self, numbers: Sequence[int]) -> Sequence[Search]:
        """Some searches, with their changes."""
        query = select(Search).where(Search.id.in_(numbers)).options(selectinload(Search.changes))
        with Session(self._reader) as session:
            return session.scalars(query).all() if numbers else []

    def used(self) -> dict[str, float]:
        """Core-seconds that each person has used."""
        query = select(Search.owner, func.sum(Search.earlier_core_seconds)).group_by(Search.owner)
        with Session(self._reader) as session:
            used = defaultdict(float, {row[0]: row[1] for row in session.execute(query)})
        for search in self.all(state=State.SEARCHING):
            used[search.owner] += search.passed() * search.jobs
        return used

    # Changing

    def add(self, owner: str, request: SearchRequest, source: str, key: str | None = None) -> Search:
        """Queue a search. With the key of an earlier request of its owner, return that one's search.

        Raises UsageError, StudyConflict.
        """
        try:
            return self._add(owner, request, source, key)
        except IntegrityError:  # the same request, or the same name, came twice at once
            return self._add(owner, request, source, key)

    def _add(self, owner: str, request: SearchRequest, source: str, key: str | None) -> Search:
        digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        with self._transaction() as session:
            if key is not None and (earlier := self._earlier(session, owner, key)):
                if earlier.digest != digest:
                    raise StudyConflict(
                        f"Idempotency-Key {key!r} was used for another request: take a new one"
                    )
                return session.get_one(Search, earlier.search_id)
            n_open = len(
                session.scalars(
                    select(Search.id).where(Search.owner == owner, Search.state.not_in(ENDED))
                ).all()
            )
            if n_open >= MAX_OPEN:
                raise StudyConflict(f"{owner} has {n_open} searches that have not ended: at most {MAX_OPEN}")
            search = Search(
                owner=owner,
                task=request.task,
                data=source,
                study=self._study_name(session, owner, request),
                trials=request.trials,
                timeout=DEFAULT_TIMEOUT
                if request.trials is None and request.timeout is None
                else request.timeout,
                threshold=request.threshold,
                seed=request.seed,
                state=State.QUEUED,
            )
            self._change(search, State.QUEUED, owner, "it was asked for")
            session.add(search)
            session.flush()
            if key is not None:
                session.add(Repeat(person=owner, key=key, digest=digest, search_id=search.id))
            return search

    def pause(self, number: int, person: str, reason: str = "it was asked for") -> Search:
        """Stop a search, so that it can be resumed. Raises StudyConflict."""
        with self._changing(number, State.QUEUED, State.SEARCHING, State.PAUSED) as search:
            if search.state == State.SEARCHING:
                self._want(search, "paused", person, reason)
            elif search.state == State.QUEUED:
                self._change(search, State.PAUSED, person, reason)
            return search

    def resume(self, number: int, person: str, reason: str = "it was resumed") -> Search:
        """Let a stopped search wait for its turn again. Raises StudyConflict."""
        with self._changing(number, State.PAUSED, State.FAILED, State.QUEUED) as search:
            if search.state != State.QUEUED:
                search.kills = 0
                self._change(search, State.QUEUED, person, reason)
            return search

    def cancel(self, number: int, person: str) -> Search:
        """End a search for good. Raises StudyConflict."""
        with self._changing(
            number, State.QUEUED, State.SEARCHING, State.PAUSED, State.FAILED, State.CANCELLED
        ) as search:
            if search.state == State.SEARCHING:
                self._want(search, "cancelled", person, "it was cancelled")
            elif search.state != State.CANCELLED:
                self._change(search, State.CANCELLED, person, "it was cancelled")
            return search

    def extend(self, number: int, person: str, trials: int | None, timeout: float | None) -> Search:
        """Raise the limits of a search; one that is done goes on. Raises UsageError, StudyConflict."""
        with self._changing(
            number, State.QUEUED, State.SEARCHING, State.PAUSED, State.DONE, State.FAILED
        ) as search:
            if trials is None and timeout is None:
                raise UsageError("nothing to extend: name trials or timeout, higher than they are")
            for name, limit in (("trials", trials), ("timeout", timeout)):
                old = getattr(search, name)
                if limit is not None and old is None:
                    raise UsageError(f"{name} {limit:g} is not valid: this search has no limit of {name}")
                if limit is not None and limit <= old:
                    raise UsageError(f"{name} {limit:g} is not valid: more than the {old:g} of now")
            search.trials = search.trials if trials is None else trials
            search.timeout = search.timeout if timeout is None else timeout
            search.extended = search.state == State.SEARCHING
            if search.state == State.DONE:
                search.step = "search"
                self._change(search, State.QUEUED, person, "its limits were raised")
            return search

    def require_open(self, number: int) -> None:
        """Raise StudyConflict if a search takes no requests any more."""
        with self._changing(number, *TAKES_REQUESTS):
            pass

    def work(self, number: int, person: str, reason: str) -> Search:
        """Let a search that is done wait for a turn once more, to take a request. Raises StudyConflict."""
        with self._changing(number, *TAKES_REQUESTS) as search:
            if search.state == State.DONE:
                search.step = "try"
                self._change(search, State.QUEUED, person, reason)
            return search

    # What became of its process: for the runner

    def begin(self, number: int, step: str, jobs: int, reason: str, *states: State) -> Search:
        """Write that the process of a search starts, if the search is in one of these states.

        Raises StudyConflict.
        """
        with self._changing(number, *states) as search:
            search.step, search.jobs, search.started, search.extended = step, jobs, now(), False
            self._change(search, State.SEARCHING, SERVICE, reason)
            return search

    def spend(self, number: int, seconds: float) -> Search:
        """Write how long the process of a search ran, now that it ended."""
        with self._changing(number) as search:
            search.earlier_core_seconds += seconds * search.jobs
            search.earlier_seconds += seconds if search.step == "search" else 0.0
            search.started = None
            return search

    def settle(self, number: int) -> Search:
        """Write that the process of a search ended, as a person wanted."""
        with self._changing(number) as search:
            self._change(search, State(search.wanted), search.wanted_by, search.reason)
            return search

    def set_state(self, number: int, state: State, person: str, reason: str, **fields: object) -> Search:
        """Write another state of a search."""
        with self._changing(number) as search:
            for name, value in fields.items():
                setattr(search, name, value)
            self._change(search, state, person, reason)
            return search

    # Whose turn it is

    def turns(self) -> list[Search]:
        """The searches that wait, in the order of their turns.

        One search a person runs; the person who used the fewest core-seconds is the next one.
        """
        used, turn = self.used(), Counter(search.owner for search in self.all(state=State.SEARCHING))
        order = []
        for search in sorted(self.all(state=State.QUEUED), key=lambda each: (each.queued, each.id)):
            order.append((turn[search.owner], used[search.owner], search.queued, search.id, search))
            turn[search.owner] += 1
        return [each[-1] for each in sorted(order, key=lambda each: each[:-1])]

    def has_quota(self, owner: str, used: dict[str, float] | None = None) -> bool:
        """Whether a person may use more core-seconds."""
        return self.quota is None or (used or self.used()).get(owner, 0.0) < self.quota

    def expected(self, slots: int) -> dict[int, float]:
        """Seconds until each waiting search starts, at the latest, if so many run at once."""
        running = self.all(state=State.SEARCHING)
        ends = {search.owner: self._left(search) for search in running}  # of each person's latest search
        free = [0.0] * max(0, slots - len(running)) + sorted(ends.values())
        starts: dict[int, float] = {}
        for search in self.turns():
            starts[search.id] = max(free[0], ends.get(search.owner, 0.0))
            ends[search.owner] = starts[search.id] + self._left(search)
            free = sorted([ends[search.owner], *free[1:]])
        return starts

    # Inside

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """A transaction: all of it is written at its end, or nothing."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @staticmethod
    def _left(search: Search) -> float:
        left = search.seconds_left
        return GUESS if left is None else left

    @contextmanager
    def _changing(self, number: int, *states: State) -> Iterator[Search]:
        """A search that is to change, in one of these states, if any are given. Raises StudyConflict."""
        with self._transaction() as session:
            search = session.get_one(Search, number, with_for_update=True)
            if states and search.state not in states:
                valid = ", ".join(states)
                raise StudyConflict(f"search {number} is {search.state}: it would have to be {valid}")
            yield search
            _ = list(search.changes)

    def _change(self, search: Search, state: State, person: str, reason: str) -> None:
        if not search.wanted or state != State.SEARCHING:  # a next step forgets no wish
            search.wanted = ""
        search.state, search.reason = state, reason
        search.jobs = search.jobs if state == State.SEARCHING else 0
        if state == State.QUEUED:
            search.queued, search.ended = now(), None
        if state in ENDED:
            search.ended = now()
        search.changes.append(Change(state=state, person=person, reason=reason))

    def _want(self, search: Search, wanted: str, person: str, reason: str) -> None:
        """Write that a running search is to be paused or cancelled."""
        if search.wanted != "cancelled":
            search.wanted, search.wanted_by, search.reason = wanted, person, reason
            search.changes.append(
                Change(state=search.state, person=person, reason=f"to be {wanted}: {reason}")
            )

    @staticmethod
    def _earlier(session: Session, owner: str, key: str) -> Repeat | None:
        return session.scalars(select(Repeat).where(Repeat.person == owner, Repeat.key == key)).one_or_none()

    @staticmethod
    def _study_name(session: Session, owner: str, request: SearchRequest) -> str:
        """The name of a new study: its owner's, and the given one or the task's with a number."""
        taken = set(session.scalars(select(Search.study).where(Search.study.startswith(f"{owner}."))))
        if request.name is not None:
            name = f"{owner}.{request.name}"
            if name in taken:
                raise StudyConflict(
                    f"name {request.name!r} is taken by another search of yours: take a new one"
                )
            return name
        stem = f"{owner}.{request.task.lower()[:20]}"
        number = next(number for number in range(1, len(taken) + 2) if f"{stem}-{number}" not in taken)
        return f"{stem}-{number}"
