"""The stack's PostgreSQL: files, roles and passwords, created once, and its access rules.

Each role owns one database. Its password appears in no command line, environment or log. The superuser has
no password and no access once the set-up is done.
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
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from search import paths
from search.errors import StoreError
from search.primitives.text import one_line
from search.services.stack.supervised_process import Server, SupervisedProcess

LOCALHOST = "127.0.0.1"
ROLES = ("trialbook", "mlflow")  # two databases: Optuna and MLflow cannot share one
SUPERUSER = "postgres"
PROGRAMS = ("initdb", "postgres")
DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")  # one folder for each version
UNPRIVILEGED_USERS = ("postgres", "nobody")  # run PostgreSQL if root starts the stack: it refuses to be root
STOP_SIGNALS = {
    signal.SIGINT: 6.0,  # close all connections, write everything to disk
    signal.SIGQUIT: 1.0,  # stop at once; the next start recovers
}
SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": 300,  # of all coordinators, and MLflow
    "password_encryption": "scram-sha-256",
    "log_min_error_statement": "panic",  # a statement may hold a password
}


def programs() -> dict[str, str]:
    """The paths of PostgreSQL's programs, by name. Raises StoreError."""
    newest_first = sorted(DEBIAN_PROGRAMS.glob("*/bin"), key=_version, reverse=True)
    folders = os.pathsep.join([os.environ.get("PATH", ""), *map(str, newest_first)])
    found = {name: path for name in PROGRAMS if (path := shutil.which(name, path=folders))}
    if len(found) < len(PROGRAMS):
        raise StoreError(
            f"PostgreSQL is not installed: {' and '.join(PROGRAMS)} are neither in PATH nor in "
            f"{DEBIAN_PROGRAMS}; the package of Debian and Ubuntu is `postgresql`"
        )
    return found


def _version(path: Path) -> int:
    return int(re.sub("[^0-9]", "", path.parent.name) or 0)


def data() -> Path:
    """The folder of PostgreSQL's files."""
    return paths.stack() / "postgres"


def password_file(role: str) -> Path:
    """The file of a role's password, in the format of PGPASSFILE."""
    return paths.stack() / f"{role}.pgpass"


def set_up(port: int) -> None:
    """Create files, roles and passwords, unless they exist: completely, or not at all.

    A server runs on the port meanwhile, for this machine only. Raises StoreError.
    """
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
    _give_to_owner(draft)
    password = secrets.token_urlsafe()
    _initialize(draft, password)
    with SupervisedProcess(_server(draft, LOCALHOST, port)) as server:
        server.start()
        _create_roles(port, password)
    draft.rename(data())


def _write_password(role: str) -> None:
    draft = password_file(role).with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(f"*:*:{role}:{role}:{secrets.token_urlsafe()}\n")
    draft.rename(password_file(role))


def _initialize(folder: Path, password: str) -> None:
    """Create PostgreSQL's files in an empty folder. Raises StoreError."""
    with tempfile.NamedTemporaryFile("w", dir=paths.stack()) as file:
        file.write(password)
        file.flush()
        _give_to_owner(Path(file.name))
        command = [programs()["initdb"], "--pgdata", str(folder), "--username", SUPERUSER]
        command += ["--pwfile", file.name, "--auth-host=scram-sha-256", "--auth-local=reject"]
        command += ["--encoding=UTF8", "--locale=C", "--data-checksums"]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=paths.stack(),
            start_new_session=True,  # Ctrl-C does not interrupt it
            check=False,
            **owner(),
        )
    if result.returncode != 0:
        raise StoreError(f"{data()} cannot be set up: {' '.join(result.stderr.split())}")


def _create_roles(port: int, password: str) -> None:
    """Create each role with its database, then take the superuser's password away. Raises StoreError."""
    superuser = _address(port, user=SUPERUSER, dbname="postgres", password=password)
    try:
        with psycopg.connect(superuser, autocommit=True) as connection:
            for role in ROLES:
                _create_role(connection, role)
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD NULL").format(sql.Identifier(SUPERUSER)))
    except psycopg.Error as error:
        raise StoreError(f"{data()} cannot be set up: {one_line(error)}") from None


def _create_role(connection: psycopg.Connection, role: str) -> None:
    password = password_file(role).read_text().strip().rpartition(":")[2]
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    for statement in (
        "CREATE ROLE {role} LOGIN PASSWORD {verifier}",
        "CREATE DATABASE {role} OWNER {role}",
        "REVOKE ALL ON DATABASE {role} FROM PUBLIC",
    ):
        names = {"role": sql.Identifier(role), "verifier": sql.Literal(verifier.decode())}
        connection.execute(sql.SQL(statement).format(**names))


def server(host: str, port: int) -> Server:
    """PostgreSQL on its files. Other machines reach the studies if `host` is an address that they reach."""
    address = ipaddress.ip_address(host)
    rules = [f"host {role} {role} samehost scram-sha-256\n" for role in ROLES]
    rules += [] if address.is_loopback else ["host trialbook trialbook all scram-sha-256\n"]
    (data() / "pg_hba.conf").write_text("".join(rules))
    listens = "*" if address.is_unspecified else ",".join(dict.fromkeys([LOCALHOST, host]))
    return _server(data(), listens, port)


def _server(folder: Path, listens: str, port: int) -> Server:
    command = [programs()["postgres"], "-D", str(folder)]
    for name, value in {**SETTINGS, "listen_addresses": listens, "port": port}.items():
        command += ["-c", f"{name}={value}"]
    return Server(
        name="PostgreSQL",
        command=command,
        answers=lambda: _answers(port),
        stop_signals=STOP_SIGNALS,
        options={"cwd": paths.stack(), "env": {**os.environ, **_stale_number(folder)}, **owner()},
    )


def _stale_number(folder: Path) -> dict[str, str]:
    """The variable by which PostgreSQL ignores the process number that a killed server left behind.

    Another process may have that number by now, and PostgreSQL would not start. The variable names a process
    that is no server. PostgreSQL still refuses if a server uses the shared memory of these files.
    """
    with contextlib.suppress(FileNotFoundError, IndexError):
        return {"PG_GRANDPARENT_PID": (folder / "postmaster.pid").read_text().split()[0]}
    return {}


def _answers(port: int) -> bool:
    address = _address(port, user="trialbook", dbname="trialbook")
    return psycopg.pq.PGconn.ping(address.encode()) == psycopg.pq.Ping.OK


def _address(port: int, **settings: str) -> str:
    """A connection string of this server, whatever the environment says of other servers."""
    return make_conninfo(host=LOCALHOST, hostaddr=LOCALHOST, port=port, sslmode="disable", **settings)


def owner() -> dict[str, Any]:
    """The user that owns the files and runs PostgreSQL, as options of `subprocess`; empty for this user."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    for name in UNPRIVILEGED_USERS:
        if name in users:
            return {"user": users[name].pw_uid, "group": users[name].pw_gid, "extra_groups": []}
    raise StoreError(
        f"PostgreSQL refuses to run as root, and there is no user {' or '.join(UNPRIVILEGED_USERS)}"
    )


def _give_to_owner(path: Path) -> None:
    if who := owner():
        os.chown(path, who["user"], who["group"])
