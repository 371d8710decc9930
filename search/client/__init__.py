"""The search service from Python.

models   what travels between the service, its client and its pages
client   a search of the service: start it, wait for it, fetch what it found
http     the connection: retries, errors, events, files
mirror   a copy of a search's study that follows it, for the display in a terminal

from search.client import Client

run = Client("http://host:8000", token).search("langid", timeout=120)
run.wait()
run.winner()
run.script("best.py")
"""

from search.client.client import Client, Run, SearchFailed

__all__ = ["Client", "Run", "SearchFailed"]
