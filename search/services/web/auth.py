"""Who asks: tokens, roles, and what a foreign page must not do.

On 127.0.0.1 there is one person, the one who started the service. Elsewhere a token says who asks.
"""

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from search.errors import UsageError, unknown
from search.services.queue.tables import Token, now, reading

Role = Literal["student", "staff"]
ROLES: tuple[Role, ...] = ("student", "staff")
LOGIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,23}")
PREFIX = "trialbook_"  # begins each token, so that it is recognized and kept out of logs
COOKIE = "trialbook"  # that holds a browser's token
MAX_WRONG, WINDOW = 10, 60.0  # wrong tokens of one address within so many seconds
MAX_ADDRESSES = 10_000  # that are remembered
SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Person:
    """Who asks."""

    name: str
    role: Role

    def may_see(self, owner: str) -> bool:
        """Whether a search of this owner is hers to see and to change."""
        return self.role == "staff" or self.name == owner


LOCAL = Person("local", "staff")  # the person on 127.0.0.1, who needs no token


class Denied(Exception):
    """A request that is refused.

    Args:
        status: of the answer: 400, 401, 403, 413 or 429.
        detail: one sentence: what was wrong, and what is valid.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def check_person(name: str, role: str) -> None:
    """Raise UsageError if a person cannot have this login or this role."""
    if not LOGIN.fullmatch(name):
        raise UsageError(
            f"NAME {name!r} is no login: valid are a-z 0-9 _ -, at most 24, a letter or digit first"
        )
    if role not in ROLES:
        raise unknown("ROLE", role, ROLES)


class Tokens:
    """The tokens of all persons.

    Args:
        engine: of the database of the service.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def create(self, name: str, role: str) -> str:
        """Make a token. It is returned once: only its hash is kept. Raises UsageError."""
        check_person(name, role)
        token = PREFIX + secrets.token_urlsafe(32)
        with Session(self._engine) as session, session.begin():
            session.add(Token(name=name, role=role, digest=_digest(token)))
        return token

    def revoke(self, name: str) -> int:
        """Revoke all tokens of a person. Returns their number. Raises UsageError if there are none."""
        with Session(self._engine) as session, session.begin():
            tokens = session.scalars(select(Token).where(Token.name == name, Token.revoked.is_(None))).all()
            if not tokens:
                valid = session.scalars(select(Token.name).where(Token.revoked.is_(None))).all()
                raise unknown("NAME", name, set(valid))
            for token in tokens:
                token.revoked = now()
            return len(tokens)

    def all(self) -> Sequence[Token]:
        """All tokens, the oldest first."""
        with Session(self._reader) as session:
            return session.scalars(select(Token).order_by(Token.id)).all()

    def owner(self, token: str) -> Person | None:
        """The person whose token this is; None if it is wrong or revoked."""
        with Session(self._reader) as session:
            query = select(Token).where(Token.digest == _digest(token), Token.revoked.is_(None))
            found = session.scalars(query).one_or_none()
            return Person(found.name, "staff" if found.role == "staff" else "student") if found else None


def _digest(token: str) -> str:
    """The hash of a token. Its 256 random bits need no salt, and no slow hash."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


class Guard:
    """Decides who asks, and whether the request may pass.

    Args:
        tokens: those of all persons; None on 127.0.0.1, where no token is needed.
        hosts: the names, with the port, by which a browser may call the service; empty for any name.
    """

    def __init__(self, tokens: Tokens | None, hosts: Iterable[str]) -> None:
        self.tokens, self._hosts = tokens, set(hosts)
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()  # address -> times of wrong tokens

    def check_origin(self, method: str, host: str, origin: str | None) -> None:
        """Refuse a request that a foreign page sent. Raises Denied.

        A page elsewhere may call this service by a name of its own (DNS rebinding), or post a form to it.
        """
        if self._hosts and host.lower() not in self._hosts:
            valid = " or ".join(sorted(self._hosts))
            raise Denied(403, f"Host {host[:100]!r} is not this service: valid is {valid}")
        if method not in SAFE and origin is not None and urlsplit_host(origin) != host.lower():
            raise Denied(
                403, f"Origin {origin[:100]!r} is another site: only pages of this service may change things"
            )

    def person(self, header: str | None, cookie: str | None, address: str) -> Person:
        """Who asks. Raises Denied.

        Args:
            header: Authorization, as "Bearer TOKEN".
            cookie: a browser's token.
            address: of who asks, to count wrong tokens.
        """
        if self.tokens is None:
            return LOCAL
        scheme, _, given = (header or "").partition(" ")
        token = given.strip() if scheme.lower() == "bearer" else cookie
        if not token:
            raise Denied(401, "a token is missing: send the header Authorization: Bearer TOKEN")
        person = self.tokens.owner(token)
        if person is None:  # others may share the address, and nobody guesses 256 bits
            if self._is_blocked(address):
                raise Denied(429, f"too many wrong tokens from this address: wait {WINDOW:.0f} s")
            self._count_wrong(address)
            raise Denied(
                401, "this token is wrong or revoked: staff make a new one by `make token NAME=login`"
            )
        return person

    def _is_blocked(self, address: str) -> bool:
        recent = [at for at in self._wrong.get(address, ()) if at > time.monotonic() - WINDOW]
        return len(recent) >= MAX_WRONG

    def _count_wrong(self, address: str) -> None:
        times = self._wrong.pop(address, [])
        self._wrong[address] = [*times[1 - MAX_WRONG :], time.monotonic()]
        if len(self._wrong) > MAX_ADDRESSES:
            self._wrong.popitem(last=False)


def policy(scripts: str = "'self'") -> str:
    """The Content-Security-Policy of an answer: nothing of another site, and no scripts but these."""
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def urlsplit_host(origin: str) -> str | None:
    """The host and port of an origin; None if it is none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
