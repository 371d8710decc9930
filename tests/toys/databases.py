"""A PostgreSQL server of the system's packages, in a folder of its own; it is no longer there at the end."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import psycopg

WHERE = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


def tool(name):
    """A program of PostgreSQL's; None where it is not installed."""
    return shutil.which(name, path=os.pathsep.join([*map(str, WHERE), os.environ["PATH"]]))


class Server:
    """A server that trusts whoever comes from this machine."""

    def __init__(self, folder):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._user = {}
        if os.getuid() == 0:  # PostgreSQL does not run as root
            who = next(name for name in ("postgres", "nobody") if name in {p.pw_name for p in pwd.getpwall()})
            self._user = {"user": who, "group": pwd.getpwnam(who).pw_gid, "extra_groups": []}
            folder.mkdir()
            os.chown(folder, pwd.getpwnam(who).pw_uid, pwd.getpwnam(who).pw_gid)
        self._run("initdb", "--auth=trust", "--username=trialbook", "--encoding=UTF8", "--no-sync")
        self.start()

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run(
            "pg_ctl", "--wait", "--silent", "--log", str(self.folder / "log"), "--options", options, "start"
        )

    def stop(self):
        self._run("pg_ctl", "--wait", "--silent", "--mode=immediate", "stop")

    def address(self, name="postgres"):
        return f"postgresql://trialbook@127.0.0.1:{self.port}/{name}"

    def _run(self, program, *arguments):
        command = [tool(program), "--pgdata", str(self.folder), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **self._user)


@contextlib.contextmanager
def server(folder):
    """A Server that runs meanwhile."""
    started = Server(folder)
    try:
        yield started
    finally:
        started.stop()


def end_backends(storage):
    """End all sessions of a database, and wait until they have ended."""
    with psycopg.connect(storage, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class CuttingProxy:
    """A way to a server on which some messages reach it, but the connection is cut off before the answer.

    Args:
        port: the server's.
        chosen: given a message to the server, whether the connection is cut off after it.
    """

    def __init__(self, port, chosen):
        self.cuts = 0
        self._server_port, self._chosen = port, chosen
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._server_port))
                cut = threading.Event()
                for pump in self._to_server, self._to_client:
                    threading.Thread(target=pump, args=(client, server, cut), daemon=True).start()

    def _to_server(self, client, server, cut):
        with contextlib.suppress(OSError):
            while content := client.recv(65536):
                if self._chosen(content):
                    self.cuts += 1
                    cut.set()
                server.sendall(content)
        _end(client, server)

    def _to_client(self, client, server, cut):
        with contextlib.suppress(OSError):
            while (content := server.recv(65536)) and not cut.is_set():
                client.sendall(content)
        _end(client, server)


def _end(*connections):
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
