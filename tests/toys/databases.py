"""A PostgreSQL server of the system's packages, in a folder of its own; it is no longer there at the end."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

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
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
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
