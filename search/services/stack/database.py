"""The stack's PostgreSQL: files, roles and passwords that are made once, and who is let in.

Its superuser has no password and is let in nowhere: what it has to do is done before the server runs. Each
role has a database of its own and a password that no command line, environment or log shows.
"""

import contextlib
import ipaddress
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from search import paths
from search.errors import StoreError

HERE = "127.0.0.1"
ROLES = ("trialbook", "mlflow")  # two databases: Optuna and MLflow cannot share one
PROGRAMS = ("initdb", "postgres")
ELSEWHERE = Path("/usr/lib/postgresql")  # Debian keeps them here, in one folder a version
USERS = ("postgres", "nobody")  # as whom PostgreSQL runs where root starts it: it refuses to be root
ENDS = {signal.SIGINT: 6.0, signal.SIGQUIT: 1.0}  # cut off all that are connected; leave the rest for later
SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": 300,  # of all coordinators, and MLflow
    "password_encryption": "scram-sha-256",
    "log_min_error_statement": "panic",  # a statement may hold a password
}


def programs():
    """The paths of PostgreSQL's programs, by name. Raises StoreError."""
    newest = sorted(ELSEWHERE.glob("*/bin"), key=_version, reverse=True)
    folders = os.pathsep.join([os.environ.get("PATH", ""), *map(str, newest)])
    found = {name: shutil.which(name, path=folders) for name in PROGRAMS}
    if None in found.values():
        raise StoreError(
            f"PostgreSQL is not installed: {' and '.join(PROGRAMS)} are neither in PATH nor in {ELSEWHERE}; "
            "the package of Debian and Ubuntu is `postgresql`"
        )
    return found


def _version(path):
    return int(re.sub("[^0-9]", "", path.parent.name) or 0)


def password_file(role):
    """Where a role's password is, in the form that PGPASSFILE asks for."""
    return paths.stack() / f"{role}.pgpass"


def data():
    """The folder of its files."""
    return paths.stack() / "postgres"


def set_up():
    """Make files, roles and passwords where there are none yet: whole, or not at all. Raises StoreError."""
    for role in ROLES:
        if not password_file(role).exists():
            if data().exists():
                raise StoreError(f"{password_file(role)} is missing: it holds a password that {data()} knows")
            _write_password(role)
    if data().exists():
        return
    print(f"Setting up {data()}, once ...", flush=True)
    draft = data().with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if owner := _owner():
        os.chown(draft, owner["user"], owner["group"])
    about = ("--auth=reject", "--encoding=UTF8", "--locale=C", "--data-checksums")
    _run("initdb", "--pgdata", draft, "--username=postgres", *about)
    _run("postgres", "--single", "-D", draft, *_flags(exit_on_error="on"), "postgres", typed=_statements())
    draft.rename(data())


def _write_password(role):
    draft = password_file(role).with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(f"*:*:{role}:{role}:{secrets.token_urlsafe()}\n")
    draft.rename(password_file(role))


def _statements():
    """What makes roles and databases, one statement a line."""
    lines = []
    for role in ROLES:
        password = password_file(role).read_text().strip().rpartition(":")[2]
        lines.append(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'\n")
        lines.append(f"CREATE DATABASE {role} OWNER {role}\n")
        lines.append(f"REVOKE ALL ON DATABASE {role} FROM PUBLIC\n")
    return "".join(lines)


def _run(program, *arguments, typed=""):
    """Run one of PostgreSQL's programs to its end. Raises StoreError."""
    command = [programs()[program], *map(str, arguments)]
    how = {"start_new_session": True} | _owner()  # a session of its own: Ctrl-C waits until it has ended
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, cwd=paths.stack(), check=False, **how
    )
    if done.returncode != 0:
        raise StoreError(f"{data()} cannot be set up: {' '.join(done.stderr.split())}")


def _owner():
    """The user whose files they are and as whom it runs, as `subprocess` takes it; empty: who typed this."""
    if os.geteuid() != 0:
        return {}
    there = {user.pw_name: user for user in pwd.getpwall()}
    for name in USERS:
        if name in there:
            return {"user": there[name].pw_uid, "group": there[name].pw_gid, "extra_groups": []}
    raise StoreError(f"PostgreSQL refuses to run as root, and there is no user {' or '.join(USERS)}")


def server(host, port):
    """What a `Part` takes to run it: the command, the signals that it ends by, and how it is started."""
    _forget_another()
    address = ipaddress.ip_address(host)
    rules = [f"host {role} {role} samehost scram-sha-256\n" for role in ROLES]
    rules += [] if address.is_loopback else ["host trialbook trialbook all scram-sha-256\n"]
    (data() / "pg_hba.conf").write_text("".join(rules))
    listens = "*" if address.is_unspecified else ",".join(dict.fromkeys([HERE, host]))
    command = [programs()["postgres"], "-D", str(data()), *_flags(port=port, listen_addresses=listens)]
    return command, ENDS, {"cwd": paths.stack()} | _owner()


def _flags(**settings):
    return [part for name, value in {**SETTINGS, **settings}.items() for part in ("-c", f"{name}={value}")]


def _forget_another():
    """Forget the number of a server that was killed where it is another process's by now.

    PostgreSQL would take that one for a server of these files, and not start.
    """
    with contextlib.suppress(FileNotFoundError, IndexError):
        number = (data() / "postmaster.pid").read_text().split()[0]
        if str(data()).encode() not in Path(f"/proc/{number}/cmdline").read_bytes():
            (data() / "postmaster.pid").unlink()


def answers(port):
    """Whether it can be asked."""
    where = f"host={HERE} port={port} user=trialbook dbname=trialbook"
    return psycopg.pq.PGconn.ping(where.encode()) == psycopg.pq.Ping.OK
