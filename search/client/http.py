"""The connection of a client: requests that are repeated where that is safe, events, and whole files."""

import random
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import requests
import tenacity
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from search.client.models import NOT_YET, Event, Problem
from search.errors import NoWinner, StoreError, StudyConflict, TrialbookError, UsageError

Answer = TypeVar("Answer")

ADDRESS = re.compile(r"https?://[^\s/@]+(/[^\s?#]*)?")
TOKEN = re.compile(r"[!-~]{1,500}")
CONNECT_SECONDS, READ_SECONDS = 10.0, 120.0
SILENT_SECONDS = 45.0  # without a sign of life, a stream of events is lost: the service sends one in 15
LEAST_SILENT = 0.1
GATEWAYS = (502, 503, 504)  # what a proxy answers while the service starts again
CHUNK = 1 << 16  # bytes of a download


class Lost(StoreError):
    """The service did not answer.

    Args:
        message: for a person.
        sent: whether it may have got the request.
    """

    def __init__(self, message: str, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Bearer(AuthBase):
    """Adds the token to each request. Its text shows no token."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Connection:
    """A connection to a service. Its methods raise TrialbookError, with the service's own sentence.

    Args:
        address: http://host:port.
        token: who asks; a service on 127.0.0.1 needs none.
        patience: seconds in which a lost connection is tried again.
    """

    def __init__(self, address: str, token: str | None, patience: float) -> None:
        if not ADDRESS.fullmatch(address):
            raise UsageError("the address of the service is not valid: http://host:port, without a password")
        if token is not None and not TOKEN.fullmatch(token):
            raise UsageError("the token is not valid: one word, as `make token` printed it")
        self.address, self._patience = address.rstrip("/"), patience
        self._has_token, self._answered = token is not None, False
        self._session = requests.Session()
        self._session.auth = Bearer(token)

    def get(self, path: str, **params: object) -> requests.Response:
        """What a path holds."""
        return self._repeated(lambda: self._send("GET", path, params=params), True)

    def post(
        self, path: str, body: pydantic.BaseModel | None = None, key: str | None = None
    ) -> requests.Response:
        """Ask for a change. With a `key`, it is safe to ask again when the connection was lost."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        data = body.model_dump_json(exclude_none=True) if body else None
        return self._repeated(lambda: self._send("POST", path, data=data, headers=headers), key is not None)

    def download(self, path: str, target: str | Path, **params: object) -> Path:
        """Write what a path holds into a file: whole, or not at all. Raises OSError too."""
        file = Path(target).expanduser()
        if file.is_dir():
            raise UsageError(f"{file} is a folder: name the file to write")
        unfinished = file.with_name(f".{uuid.uuid4().hex}.part")

        def fetch() -> Path:
            with self._send("GET", path, params=params, stream=True) as response:
                with open(unfinished, "wb") as part:
                    for chunk in self._chunks(response):
                        part.write(chunk)
                return unfinished.replace(file)

        try:
            return self._repeated(fetch, True)
        finally:
            unfinished.unlink(missing_ok=True)

    def events(self, path: str, last_id: str = "", deadline: float | None = None) -> Iterator[Event]:
        """The events of a search after one of them, until it has ended. A lost stream is resumed.

        Args:
            deadline: of the clock `time.monotonic`; raises TimeoutError once it has passed.
        """
        heard = time.monotonic()
        while True:
            left = SILENT_SECONDS if deadline is None else deadline - time.monotonic()
            silence = min(SILENT_SECONDS, max(LEAST_SILENT, left / 2))  # so no silence outlasts the deadline
            try:
                headers = {"Last-Event-ID": last_id} if last_id else {}
                with self._send(
                    "GET", path, headers=headers, stream=True, timeout=(CONNECT_SECONDS, silence)
                ) as response:
                    heard = time.monotonic()
                    for event in events(response.iter_lines(CHUNK)):
                        heard = time.monotonic()
                        if event is not None:
                            last_id = event.id
                            yield event
                            if event.kind == "end":
                                return
                        if deadline is not None and heard + silence > deadline:
                            break
            except (requests.RequestException, StoreError) as error:
                if time.monotonic() > heard + self._patience or not self._answered:
                    raise error if isinstance(error, StoreError) else self._lost(error) from None
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError("the search goes on: the time to wait for it has passed")
            time.sleep(random.uniform(0, min(1.0, silence)))  # many clients do not come back at once

    # Inside

    def _repeated(self, do: Callable[[], Answer], is_repeatable: bool) -> Answer:
        """Do something again while the service is away, if that is safe and it has been there before."""

        def again(error: BaseException) -> bool:
            return isinstance(error, Lost) and (is_repeatable if error.sent else self._answered)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(again),
            stop=tenacity.stop_after_delay(self._patience),
            wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=3, jitter=0.3),
            reraise=True,
        )
        return retrying(do)

    def _send(
        self,
        method: str,
        path: str,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        **options: Any,
    ) -> requests.Response:
        """Send one request. Raises the error that the service answers, or Lost."""
        try:
            response = self._session.request(
                method, self.address + path, timeout=timeout, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise self._lost(error) from None
        self._answered = True
        if response.status_code >= 300:
            raise self._error(response)
        return response

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from response.iter_content(CHUNK)
        except requests.RequestException as error:
            raise self._lost(error) from None

    def _lost(self, error: requests.RequestException) -> Lost:
        reason = getattr(error.args[0], "reason", None) if error.args else None
        is_unsent = isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)
        why = re.search(r"\[Errno -?\d+\] ([^'\")]+)", str(error))
        shown = why[1] if why else "it took too long" if isinstance(error, requests.Timeout) else "it hung up"
        return Lost(f"{self.address} does not answer ({shown}): does `make serve` run there?", not is_unsent)

    def _error(self, response: requests.Response) -> TrialbookError:
        """The error that an answer stands for."""
        status = response.status_code
        if status == 401 and not self._has_token:
            return UsageError(f"{self.address} needs a token: Client(address, token), or $TRIALBOOK_TOKEN")
        if 300 <= status < 400:
            return UsageError(f"{self.address} answers from another address: use that one")
        try:
            problem = Problem.model_validate_json(response.content)
        except (pydantic.ValidationError, requests.RequestException):
            message = f"{self.address} answers {status} {response.reason} and no reason: is it Trialbook's?"
            return Lost(message, True) if status in GATEWAYS else StoreError(message)
        if problem.title == NOT_YET:
            return NoWinner(problem.detail)
        kinds: Mapping[int, type[TrialbookError]] = {409: StudyConflict, 429: StoreError, 503: StoreError}
        return kinds.get(status, UsageError if status < 500 else TrialbookError)(problem.detail)


def events(lines: Iterable[bytes]) -> Iterator[Event | None]:
    """The events in the lines of a stream; None for a sign of life."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode(errors="replace").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif value:
            yield None
        elif "data" in fields:
            yield Event.model_validate(
                {"id": fields.get("id", ""), "kind": fields.get("event", ""), "data": fields["data"]}
            )
            fields = {}
