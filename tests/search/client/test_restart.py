"""A search whose study another program holds for a moment: it waits, and does not fail."""

import pytest
from stores import here

from search.client import Client
from search.client.models import State
from search.study.opening import open_study


@pytest.mark.integration
def test_search_whose_study_is_held_waits_and_resumes(web, bowl):
    run = Client(web.address).run(web.add(trials=3).id)
    with open_study(here(), bowl, run.detail.study):
        run.resume()
        assert run.refresh().state == State.QUEUED
    assert run.wait(120).state == State.DONE
