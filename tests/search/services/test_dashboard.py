"""Optuna's dashboard shows a copy: whatever is done to it, the study stays as it is."""

import http.client
import json
import socket

import pytest
from stores import here

from search.cli.app import main
from search.coordinator import confirm
from search.errors import UsageError
from search.executors.inline import Inline


def ask(port, method, path, host=None):
    """The status of an answer, and its content."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content.startswith(b"{") else content.decode()


def test_a_copy_is_shown_on_this_machine_alone_and_the_study_is_not_touched(searched, serve, listens):
    confirm(searched, Inline(searched), replicates=2)
    searched.void("void", [searched.best().number], "the mask was wrong")
    path = here().path("searched")
    before = path.read_bytes(), path.stat().st_mtime_ns
    files = sorted(path.parent.iterdir())
    port = serve("dashboard", "--task", "bowl", "--study", "searched")  # which a search holds meanwhile

    assert ask(port, "GET", "/dashboard")[0] == 200
    assert ask(port, "GET", "/dashboard", host="elsewhere.example")[0] == 403
    assert not listens("127.0.0.2", port)
    _, found = ask(port, "GET", "/api/studies")
    (shown,) = found["study_summaries"]
    assert shown["study_name"] == "searched"
    _, study = ask(port, "GET", f"/api/studies/{shown['study_id']}")
    assert [trial["number"] for trial in study["trials"]] == [each.number for each in searched.history()]
    assert [trial["number"] for trial in study["best_trials"]] == [searched.best().number]
    told = {each["key"]: each["value"] for each in study["trials"][0]["user_attrs"]}
    assert "baseline: the task's defaults" in told["why tried"]
    assert "Where is the lowest point of a bowl?" in study["note"]["body"]
    assert ask(port, "GET", f"/api/studies/{shown['study_id']}/param_importances")[0] == 200

    assert ask(port, "DELETE", f"/api/studies/{shown['study_id']}")[0] in (200, 204)
    assert ask(port, "GET", "/api/studies")[1] == {"study_summaries": []}
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(path.parent.iterdir()) == files


def test_a_port_that_is_taken_is_wrong_usage(searched, capsys):
    from search.services import dashboard

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UsageError, match=f"PORT {port} cannot be opened: Address already in use; choose another PORT=$"
        ):
            dashboard.serve(searched, port)
    assert main(["dashboard", "--task", "bowl", "--study", "none"]) == 2
    assert "unknown STUDY 'none': valid are searched" in capsys.readouterr().err
