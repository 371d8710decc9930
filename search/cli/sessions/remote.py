"""One search of a service, with the same display as a search here."""

import contextlib
import dataclasses
import math
import time

from search import tasks
from search.cli import display, selection, terminal
from search.cli.options import SearchOptions
from search.client import Client, Run
from search.client.mirror import Mirror
from search.client.models import Detail, Event, State
from search.errors import NoWinner, TrialbookError, UsageError
from search.reports import tables
from search.strategy import winner

OF_A_SERVICE = ("server", "trials", "timeout", "bar", "seed", "data", "verbose")
OF_A_STARTED_ONE = ("server", "id", "verbose")
POLL_SECONDS = 1.0  # between two looks at the queue
ENDED = (State.DONE, State.FAILED, State.CANCELLED)
FREEZING = ("export", "handin")  # what its process does after the search
SERVICE = "service"  # the person of changes that nobody asked for


def run(options: SearchOptions, task: str | None, token: str | None) -> int:
    """Search a task on the service at SERVER=, or show the search ID= of it.

    Ctrl-C leaves the search running there. Returns the exit code. Raises TrialbookError.
    """
    _check(options, task)
    client, say = Client(options.server or "", token), terminal.console().print
    followed = client.run(options.id) if options.id is not None else _start(client, options, task)
    tasks.find(followed.detail.task)  # the display reads its metric: an error comes before the first line
    say(f"Search {followed.id} of {client.address}: task {followed.detail.task}, {_limits(followed.detail)}.")
    try:
        _wait_for_turn(followed)
        mirror = _follow(followed, bool(options.verbose))
    except KeyboardInterrupt:
        again = f"make search SERVER={client.address} ID={followed.id}"
        say(f"Search {followed.id} goes on there. `{again}` shows it again; its page can cancel it.")
        return 130
    return _show_result(followed, mirror)


def _check(options: SearchOptions, task: str | None) -> None:
    """Raise UsageError for options that are not for a search of a service."""
    if options.server is None:
        raise UsageError("ID is for SERVER= alone: which search of that service?")
    valid = OF_A_SERVICE if options.id is None else OF_A_STARTED_ONE
    fields = [field for field in dataclasses.fields(options) if getattr(options, field.name) != field.default]
    wrong = [field.name.upper() for field in fields if field.name not in valid]
    if options.id is not None and task is not None:
        wrong = ["TASK", *wrong]
    if wrong:
        reason = "the service decides that" if options.id is None else "that search has begun"
        names = ", ".join(name.upper() for name in valid if name != "server")
        raise UsageError(f"{', '.join(wrong)} cannot go with SERVER=: {reason}; valid are {names}")


def _start(client: Client, options: SearchOptions, task: str | None) -> Run:
    return client.search(
        tasks.name_of(selection.task_named(task)),
        data=options.data,
        trials=options.trials,
        timeout=options.timeout,
        threshold=options.bar,
        seed=options.seed or 0,
    )


def _limits(detail: Detail) -> str:
    limits = [f"{detail.trials} trials"] if detail.trials else []
    limits += [f"{detail.timeout:g} s"] if detail.timeout else []
    return " or ".join(limits) + " at most"


def _wait_for_turn(run: Run) -> None:
    """Say how many searches come first, whenever that changes, until it is this one's turn."""
    shown = None
    while (detail := run.refresh()).state == State.QUEUED:
        if detail.before is not None and detail.before != shown:
            shown, count = detail.before, detail.before
            place = f"{count} search{'es' if count > 1 else ''} before it" if count else "it is the next one"
            start = detail.expected_start
            latest = f", starts at {start.astimezone():%H:%M:%S} at the latest" if start else ""
            terminal.console().print(f"It waits: {place}{latest}.")
        time.sleep(POLL_SECONDS)


def _follow(run: Run, verbose: bool) -> Mirror:
    """Show a search until it has ended. Returns the copy of its study."""
    mirror, console, detail = Mirror(run), terminal.console(soft_wrap=False), run.detail
    shown: display.Display | display.Lines | None = None
    said: set[str] = set()
    with contextlib.ExitStack() as stack:
        for event in run.events():
            if event.record > mirror.n_records:
                mirror.refresh()
            if event.kind == "state":
                detail = run.refresh()
                if shown is not None and detail.step in FREEZING:
                    stack.close()  # all that it shows has ended
                    shown = mirror.watcher = None
                if shown is not None:
                    _set_limits(shown.tally, detail)
                if line := _line(event, said):
                    console.print(line, soft_wrap=True)
            if shown is None and mirror.study and detail.state not in ENDED and detail.step not in FREEZING:
                shown = display.watch(console, display.Tally(mirror.study, math.inf, math.inf), verbose)
                _set_limits(shown.tally, run.refresh())
                stack.enter_context(shown)
                mirror.follow(shown)
    return mirror


def _set_limits(tally: display.Tally, detail: Detail) -> None:
    """Count the time of the search, and not that of its display."""
    tally.trials = detail.trials or math.inf
    left = math.inf if detail.timeout is None else detail.timeout - detail.seconds_used
    tally.seconds = tally.seconds_passed() + max(0.0, left)


def _line(event: Event, said: set[str]) -> str:
    """A change of the search's state in words; "" for what was `said` before, and for the first change."""
    state, person, reason = (event.data[name] for name in ("state", "person", "reason"))
    is_known, by = reason in said, "" if person == SERVICE else f" ({person})"
    said.add(reason)
    if event.id.endswith(".1") or (is_known and state in (State.SEARCHING, State.DONE)):
        return ""
    if state not in (State.SEARCHING, State.DONE):
        reason = f"now {state}: {reason}"
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}{by}."


def _show_result(run: Run, mirror: Mirror) -> int:
    """Show the winner, and where its report and its script are. Returns the exit code."""
    say, detail = terminal.console().print, run.refresh()
    if detail.state == State.FAILED:
        raise TrialbookError(f"search {run.id} failed: {detail.reason}")
    try:
        if mirror.study is None:
            raise NoWinner(f"search {run.id} has no trial")
        terminal.show(tables.of_winner(mirror.study, winner.choose(mirror.study)))
    except NoWinner as reason:
        say(f"No winner: {reason}.")
    else:
        say(f"{run.address}/report   what was learned, as one page")
        if detail.has_script:
            say(f"{run.address}/script   the winner as one script")
    if detail.state == State.CANCELLED:
        say(f"Search {run.id} was cancelled by {detail.changes[-1].person}.")
    return 0 if detail.state == State.DONE else 1
