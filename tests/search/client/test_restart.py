"""A search whose study another program holds for a moment: it waits, and does not fail."""

import pytest
from stores import here

from search.client import Client
from search.client.models import State
from search.study.opening import open_study


@pytest.mark.integration
def test_search_whose_study_is_held_for_a_moment_resumes(web, bowl):
    run = Client(web.address).run(web.add(trials=3).id)
    with open_study(here(), bowl, run.detail.study):
        run.resume()
        reasons = (event.data["reason"] for event in run.events() if event.kind == "state")
        assert "another program held its study: it resumes" in reasons
    assert run.wait(120).state == State.DONE
