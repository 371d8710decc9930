"""The service under load: how soon it answers, how its memory grows, and whether it slows a search down.

50 people have each queued a search of a toy task, and 200 event streams are open. One search runs, on one
trainer. The figures are of one machine that serves, searches and asks.

    python -m tests.bench.service [--quick]
"""

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import requests

from search.client.models import SearchRequest
from search.services.queue import tables
from search.services.queue.queue import Queue
from search.study.stored import StoredStudy

ROOT = Path(__file__).parents[2]
PEOPLE, STREAMS = 50, 200
PAGES = "/api/searches", "/api/searches/{id}", "/api/searches/{id}/trials", "/", "/searches/{id}"
PATIENCE = 120
FULL, QUICK = (180, 5, 200), (20, 1, 60)  # seconds of load; searches with and without streams; their trials


class Served:
    """A service in a process of its own, on this machine."""

    def __init__(self, home):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        os.environ["TRIALBOOK_HOME"] = str(home)
        toys = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "toys")])
        log = f"sqlite:///{home}/mlflow.db"  # so that no pages of MLflow start
        environment = os.environ | {"PYTHONPATH": toys, "MLFLOW_TRACKING_URI": log}
        command = [sys.executable, "-m", "search", "serve", f"--port={self.port}", "--jobs=1"]
        self.process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        self.queue = Queue(tables.engine(None))
        until(self.answers)

    def answers(self):
        """Whether it can be asked."""
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{self.address}/healthz", timeout=5).ok

    def add(self, owner, **asked):
        """Queue a search of the bowl. Returns its number."""
        return self.queue.add(owner, SearchRequest(task="bowl", **asked), "builtin").id

    def state(self, number):
        """The state of a search."""
        return self.queue.find(number).state

    def memory(self):
        """The memory of the service, in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self):
        """Cancel all searches, and end the service."""
        for search in self.queue.all():
            with contextlib.suppress(Exception):
                self.queue.cancel(search.id, "bench")
        self.process.terminate()
        self.process.wait(30)


class Streams:
    """So many open event streams of some searches, read in a thread."""

    def __init__(self, port, numbers, count=STREAMS):
        self.n_bytes, self._closing = 0, threading.Event()
        watched = [numbers[place % len(numbers)] for place in range(count)]
        self._thread = threading.Thread(target=lambda: asyncio.run(self._read_all(port, watched)))
        self._thread.start()

    async def _read_all(self, port, watched):
        tasks = [asyncio.create_task(self._read(port, number)) for number in watched]
        while not self._closing.is_set():
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, port, number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/searches/{number}/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        while heard := await reader.read(65536):
            self.n_bytes += len(heard)
        writer.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.set()
        self._thread.join()


def until(happened, seconds=PATIENCE):
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)


def load(served, seconds):
    """Ask for each page in turn, while 50 searches wait and 200 streams are open."""
    numbers = [served.add(f"p{n}", trials=100_000, timeout=3600) for n in range(PEOPLE)]
    until(lambda: any(served.state(number) == "searching" for number in numbers))
    took, memory = {page: [] for page in PAGES}, []
    with Streams(served.port, numbers) as streams, requests.Session() as session:
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            for page in PAGES:
                start = time.perf_counter()
                answer = session.get(served.address + page.format(id=numbers[0]), timeout=60)
                took[page].append(time.perf_counter() - start)
                assert answer.status_code in (200, 404), answer.text
            memory.append(served.memory())
            time.sleep(0.05)
        for page, times in took.items():
            cuts = statistics.quantiles(times, n=100)
            print(f"{page:32}{len(times):6}{1e3 * cuts[49]:9.0f}{1e3 * cuts[94]:9.0f}")
        print(f"streams read {streams.n_bytes / 2**20:.1f} MiB")
    tenth = max(1, len(memory) // 10)
    first, last = statistics.median(memory[tenth : 2 * tenth]), statistics.median(memory[-tenth:])
    print(f"memory of the service: {first:.0f} MiB at first, {last:.0f} MiB after {seconds} s")


def slowdown(served, pairs, trials):
    """Search the same with and without streams, in turn."""
    took = {0: [], STREAMS: []}
    for place in range(2 * pairs):
        watched = (0, STREAMS)[place % 2]
        number = served.add("runner", trials=trials, timeout=3600)
        with Streams(served.port, [number], watched):
            until(lambda number=number: served.state(number) in ("done", "failed"), 600)
        name = served.queue.find(number).study
        study = StoredStudy.read(served_store(), name)
        ended = [trial for trial in study.trials() if trial.ended]
        first, last = min(trial.started for trial in ended), max(trial.ended for trial in ended)
        took[watched].append((last - first).total_seconds() / len(ended))
    alone, watched = statistics.median(took[0]), statistics.median(took[STREAMS])
    spread = (max(took[0]) - min(took[0])) / alone
    print(f"seconds a trial: {alone:.4f}, with {STREAMS} streams {watched:.4f}: {watched / alone - 1:+.1%}")
    print(f"(medians of {pairs}; the runs alone spread over {spread:.0%})")


def served_store():
    """The store of the studies."""
    from search import storage

    return storage.chosen(None)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute, to see that it works")
    seconds, pairs, trials = QUICK if parser.parse_args().quick else FULL
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        served = Served(Path(folder))
        try:
            slowdown(served, pairs, trials)
            print(f"{'page':32}{'asked':>6}{'p50 ms':>9}{'p95 ms':>9}")
            load(served, seconds)
        finally:
            served.close()


if __name__ == "__main__":
    main()
