"""The service, its searches, or both are killed again and again: at random moments, and at named points.

A service that gets SIGTERM instead pauses its searches in time, or leaves them to themselves.
"""

import contextlib
import itertools
import os
import signal
import socket
import time
from random import Random

import requests
from nursery import Nursery
from stores import here

from search.client.models import State
from search.services.queue import process, tables
from search.services.queue.queue import Queue
from search.services.queue.runner import STOPPED, Runner
from search.study.stored import StoredStudy
from tests.torture import homes

TITLE = "a service that is killed, alone or with its searches, loses nothing that it acknowledged"
QUICK, FULL = 20, 300  # kills
A_HOME = 10  # kills of one queue
OWNERLESS = {"params": {"x": 0.5}}  # a configuration of one's own
PATIENCE = 120.0  # seconds until a service that nobody disturbs has done all
LIVES = 0.2, 4.0  # seconds until a random kill
ENDS = 10.0 + 2.0  # seconds until a service has ended after SIGTERM: as promised, and for a busy machine
POINTS = [  # where a service dies: the owner of a function, its name, and whether before or after the call
    (owner, name, when)
    for owner, name in (
        (Queue, "add"),
        (Queue, "begin"),
        (Queue, "pause"),
        (Queue, "spend"),
        (Queue, "set_state"),
        (Queue, "settle"),
        (Queue, "work"),
        (process, "start"),
        (Runner, "_signal"),
        (Runner, "_ended"),
    )
    for when in ("before", "after")
]


def run(random, count, folder):
    database = homes.fresh(folder)
    points = itertools.cycle(random.sample(range(len(POINTS)), len(POINTS)))
    works = [
        (folder / f"home-{place}", database, random.getrandbits(32), [next(points) for _ in range(kills)])
        for place, kills in enumerate(homes.shares(count, A_HOME))
    ]
    return homes.side_by_side(kill_often, works)


def kill_often(folder, database, seed, points):
    """Ask one service for this and that; kill it at each of these points, or at random."""
    random, home = Random(seed), homes.Home(folder, database)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"  # so that no pages of MLflow start
    nursery = Nursery(folder)
    asked, told, wrong = Asked(), [], []
    try:
        for point in points:
            service = Service(home, nursery, random, POINTS[point] if random.random() < 0.5 else None)
            with contextlib.suppress(requests.RequestException):  # it died, and acknowledged nothing
                asked.ask(service.address, random)
            told.append(service.die(random))
            wrong += service.wrong
        wrong += asked.wrong(Service(home, nursery, random, None), home)
    finally:
        nursery.close()
    return homes.outcomes(len(points), wrong, f"{folder}, killed {', '.join(told)}")


class Service:
    """A service that runs.

    Args:
        point: where it dies; None for nowhere.
    """

    def __init__(self, home, nursery, random, point):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address, self.point, self.wrong = f"http://127.0.0.1:{port}/api/searches", point, []
        around = Around(nursery, point, random.randint(1, 2))
        self.process = home.start(f"serve --port {port} --jobs 2", around=around)
        self.process.until("Trialbook: http")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.lives(0.05):
            with contextlib.suppress(requests.ConnectionError):
                requests.get(self.address, timeout=10)
                return

    def die(self, random):
        """Let it live for a while, then kill it, its searches, or both. Returns what was done, in words."""
        moment = random.uniform(*LIVES)
        victims = random.choice(("service", "searches", "both", "SIGTERM"))
        lived = self.process.lives(moment if self.point is None else 2 * LIVES[1])
        if lived and victims == "SIGTERM":
            return f"SIGTERM after {moment:.2f} s, {self.stop():.1f} s"
        if lived and victims != "service":
            for number in range(1, 100):
                process.send(number, signal.SIGKILL)
        if lived and victims == "searches":  # which the service notices, and lets resume
            self.process.lives(1.0)
        self.process.kill()
        self.process.end()
        if self.point and not lived:
            return f"{self.point[2]} {self.point[1]}"
        return f"{victims} after {moment:.2f} s"

    def stop(self):
        """Stop it, and look at its searches. Returns the seconds that it took."""
        began = time.monotonic()
        self.process.kill(signal.SIGTERM)
        code, took = self.process.end(), time.monotonic() - began
        if code == -signal.SIGKILL and self.point:
            return took  # it came to its point
        if code != 128 + signal.SIGTERM:
            self.wrong.append(f"the service ended with {code} after SIGTERM: {self.process.error}")
        if took > ENDS * homes.share():
            self.wrong.append(f"the service ended {took:.1f} s after SIGTERM")
        for search in Queue(tables.engine(None)).all(state=State.SEARCHING):
            if search.wanted != "paused" or not process.is_locked(search.id):
                self.wrong.append(f"search {search.id} was not paused, and nothing searches it")
        return took


class Around:
    """What a service does within: its searches are forks, and it dies at a point."""

    def __init__(self, nursery, point, calls):
        self.nursery, self.point, self.calls = nursery, point, calls

    def __enter__(self):
        process.start = self.nursery.start
        if self.point:
            owner, name, when = self.point
            setattr(owner, name, self.deadly(getattr(owner, name), when))

    def __exit__(self, *_):
        pass

    def deadly(self, function, when):
        calls = itertools.count(1)

        def call(*arguments, **options):
            last = next(calls) >= self.calls
            if last and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **options)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call


class Asked:
    """What a service acknowledged."""

    def __init__(self):
        self.searches, self.configurations, self.keys = {}, {}, itertools.count()
        self.cancelled = set()

    def ask(self, address, random):
        """Start a search, twice with one key; then pause, resume, cancel or add to one of all."""
        body, headers = (
            {"task": "bowl", "trials": random.randint(4, 9)},
            {"Idempotency-Key": f"{next(self.keys)}"},
        )
        for _ in range(2):
            answer = requests.post(address, json=body, headers=headers, timeout=30)
            assert answer.status_code == 201, answer.text
            number = answer.json()["id"]
            self.searches.setdefault(headers["Idempotency-Key"], set()).add(number)
        for action in random.choices(("pause", "resume", "cancel", "trials", "trials", "trials"), k=3):
            number = random.choice(sorted(set().union(*self.searches.values())))
            body = OWNERLESS if action == "trials" else None
            answer = requests.post(f"{address}/{number}/{action}", json=body, timeout=30)
            assert answer.status_code in (200, 202, 404, 409), answer.text
            if action == "cancel" and answer.ok:
                self.cancelled.add(number)
            if action == "trials" and answer.ok:
                self.configurations[number] = self.configurations.get(number, 0) + 1

    def wrong(self, service, home):
        """Let an undisturbed service do all that is left. Returns what is wrong, in lines."""
        shown = self.finish(service.address)
        service.process.kill(signal.SIGTERM)
        code = service.process.end()
        wrong = [] if code == 143 else [f"the service ended with {code}: {service.process.error}"]
        for key, numbers in self.searches.items():
            if len(numbers) != 1 or not numbers <= shown.keys():
                wrong.append(f"request {key} gave searches {sorted(numbers)} of {sorted(shown)}")
        for number, search in shown.items():
            wrong += self.wrong_search(number, search)
        # A search that was killed and then cancelled leaves its log to `make ui`.
        cancelled = [search["study"] for search in shown.values() if search["state"] == "cancelled"]
        audited = [line for line in home.audited() if not any(name in line for name in cancelled)]
        return [*wrong, *home.tracebacks(), *audited]

    def finish(self, address):
        """Resume what is paused or failed until all is done. Returns the searches by number."""
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = {each["id"]: each for each in requests.get(address, timeout=30).json()}
            for number, search in shown.items():
                if search["state"] in ("paused", "failed") and search["reason"] != STOPPED:
                    requests.post(f"{address}/{number}/resume", timeout=30)
            if all(each["state"] in ("done", "cancelled") for each in shown.values()):
                return shown
            if time.monotonic() > deadline:
                return shown
            time.sleep(0.2)

    def wrong_search(self, number, search):
        """What is wrong with a search that is over, in lines."""
        if number in self.cancelled or search["state"] == "cancelled":
            if search["state"] != "cancelled" or number not in self.cancelled:
                yield f"search {number} is {search['state']}, cancelled: {number in self.cancelled}"
            return
        if search["state"] != "done":
            yield f"search {number} is {search['state']}: {search['reason']}"
            return
        study = StoredStudy.read(here(), search["study"])
        own = [trial for trial in study.trials() if trial.is_own and trial.ended and trial.counts]
        finished = [trial for trial in own if trial.state == "completed"]
        if len(finished) < self.configurations.get(number, 0):
            yield f"search {number} trained {len(finished)} of {self.configurations[number]} configurations"
        drawn = study.n_finished() - len(finished)
        if drawn > search["trials"] + len(finished):
            yield f"search {number} has {drawn} trials, and {search['trials']} were asked for"
