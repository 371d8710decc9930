"""The pages as a browser gets them, over HTTP."""


def test_api_of_a_served_search_lists_its_trials(web):
    search = web.searched(trials=3)
    assert [trial["number"] for trial in web.get(f"/api/searches/{search.id}/trials").json()] == [0, 1, 2]
