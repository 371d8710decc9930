"""The pages as a browser gets them, over HTTP."""

import re
from html.parser import HTMLParser

import pytest

from search.client.models import State
from search.services.web.auth import COOKIE, MAX_WRONG
from search.services.web.templating import TEMPLATES

HOSTILE = "</script><script>alert(1)</script> & \"quoted\" 'too'"
JSON = {"Accept": "application/json"}


class Page(HTMLParser):
    """A page: its elements, and its text."""

    def __init__(self, answer):
        super().__init__()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.elements, self.words = [], []
        self.feed(answer.text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag, name):
        return [attributes[name] for each, attributes in self.elements if each == tag and name in attributes]


def test_queue_page_shows_searches_and_a_form_for_each_task(web):
    first = web.searched(trials=3, name="first")
    page = Page(web.get("/"))
    assert first.study in page.text and f"/searches/{first.id}" in page.all("a", "href")
    assert "Where is the lowest point of a bowl?" in page.text and "0.0 to 1.0" in page.text
    assert "0 running, 0 waiting." in page.text


def test_queue_form_posted_without_script_starts_a_search(web):
    answer = web.post("/", data={"task": "bowl", "data": "", "timeout": "5", "trials": "2", "seed": "7"})
    assert answer.status_code == 303
    [search] = web.get("/api/searches").json()
    assert answer.headers["location"] == f"/searches/{search['id']}"
    assert (search["task"], search["timeout"], search["trials"], search["seed"]) == ("bowl", 5.0, 2, 7)


def test_queue_form_with_a_mistake_says_it_beside_what_was_typed(web):
    answer = web.post("/", data={"task": "bowl", "timeout": "soon", "name": "mine"})
    page = Page(answer)
    assert answer.status_code == 422 and "timeout 'soon' is not valid" in page.text
    assert {"soon", "mine"} <= set(page.all("input", "value")) and web.get("/api/searches").json() == []
    answer = web.post("/", data={"task": "nothing"}, headers=JSON)
    assert answer.status_code == 422 and "'nothing'" in answer.json()["detail"]


def test_queue_page_is_filtered_for_staff_and_holds_a_students_own_searches(class_web):
    ada, staff = class_web.token("ada"), class_web.token("chief", "staff")
    class_web.add("ada", name="hers")
    class_web.searched("bob", trials=1, name="his")
    assert "bob" not in Page(class_web.get("/", ada)).text
    assert {"ada.hers", "bob.his"} <= set(Page(class_web.get("/", staff)).text.split())
    assert "ada.hers" not in Page(class_web.get("/?owner=bob", staff)).text
    assert "bob.his" not in Page(class_web.get("/?state=paused", staff)).text


@pytest.mark.parametrize("trials", [0, 1, 2, 8])
def test_search_page_shows_as_many_trials_as_there_are(web, trials):
    search = web.searched(trials=trials) if trials else web.add()
    answer = web.get(f"/searches/{search.id}")
    page, figures = Page(answer), web.get(f"/searches/{search.id}/figures").json()
    listed = web.get(f"/api/searches/{search.id}/trials").json()
    assert answer.status_code == 200 and len(listed) == len(page.all("button", "data-void"))
    assert set(figures) == ({"curves", "history"} if trials else set())
    if trials:
        drawn = figures["history"]["data"]
        points = [trace for trace in drawn if trace.get("mode") == "markers"]
        assert points and all("error_y" in trace for trace in points)
        winner = web.get(f"/api/searches/{search.id}/winner").json()
        assert f"{winner['estimate']:.4g} ± {winner['standard_error']:.2g}" in page.text
        assert winner["odds"] in page.text


def test_search_page_offers_what_its_state_allows(web):
    search = web.searched(trials=2, state=State.PAUSED)
    page = Page(web.get(f"/searches/{search.id}"))
    actions = {address.rpartition("/")[2] for address in page.all("form", "action")}
    assert actions == {"resume", "extend", "cancel", "trials", "void"}
    assert web.post(f"/searches/{search.id}/cancel").headers["location"] == f"/searches/{search.id}"
    page = Page(web.get(f"/searches/{search.id}"))
    assert page.all("button", "data-void") == [] and "local: it was cancelled" in page.text
    refused = web.post(f"/searches/{search.id}/resume", headers=JSON)
    assert refused.status_code == 409 and "is cancelled" in refused.json()["detail"]


def test_requests_of_the_forms_reach_the_study(web):
    search = web.searched(trials=3, state=State.PAUSED)
    address, inbox = f"/searches/{search.id}", web.service.store.requests(search.study)
    for action, fields in (
        ("trials", {"x": "0.25", "y": "20"}),
        ("void", {"trials": "1, 2", "reason": HOSTILE}),
        ("void", {"trials": "1", "reason": "a mistake", "restore": "true"}),
    ):
        assert web.post(f"{address}/{action}", data=fields).status_code == 303
    asked = [record for _, record in inbox.pending()]
    assert {"x": 0.25, "y": 20} in [record.get("params") for record in asked]
    assert {"void", "restore"} <= {record["ask"] for record in asked}
    refused = web.post(f"{address}/trials", data={"x": "2", "y": "20"})
    assert refused.status_code == 422 and "x=2 is not valid" in Page(refused).text
    assert "2" in Page(refused).all("input", "value")
    assert web.post(f"{address}/extend", data={"trials": "9"}).status_code == 303
    assert web.get(f"/api{address}").json()["trials"] == 9


def test_hostile_texts_stay_texts_on_every_page(web, edited_bowl):
    from search.coordinator import search as run
    from search.executors.inline import Inline
    from search.study.opening import open_study

    task = edited_bowl(("Where is the lowest point of a bowl?", f"Where {HOSTILE}?"))
    found = web.add(task="edited", trials=2)
    with open_study(web.service.store, task, found.study) as study:
        study.set_budget(2, None)
        run(study, Inline(study), trials=2)
        study.void("void", [1], HOSTILE)
    for path in ("/", f"/searches/{found.id}", f"/{HOSTILE}"):
        page = Page(web.get(path))
        assert HOSTILE in page.text, path
        assert not any("alert(1)" in name for _, attributes in page.elements for name in attributes)
        assert all(source.startswith("/static/") for source in page.all("script", "src"))
        assert len(page.all("script", "src")) == sum(tag == "script" for tag, _ in page.elements)


def test_report_runs_only_its_own_scripts(web):
    search = web.searched(trials=3)
    answers = [web.get(f"/api/searches/{search.id}/report") for _ in range(2)]
    nonces = []
    for answer in answers:
        [nonce] = re.findall(r"script-src 'nonce-([\w-]{20,})';", answer.headers["content-security-policy"])
        scripts = [attributes for tag, attributes in Page(answer).elements if tag == "script"]
        plain = [attributes for attributes in scripts if "type" not in attributes]
        assert plain == [{"nonce": nonce}] * 2
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


def test_files_of_the_pages_are_kept_by_browsers(web):
    sources = Page(web.get(f"/searches/{web.add().id}")).all("script", "src")
    assert len(sources) == 3 and all("?v=" in source for source in sources)
    for source in sources:
        answer = web.get(source)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].startswith("text/javascript")
    assert web.get("/static/app.py").status_code == 404


@pytest.mark.parametrize("path", ["/nothing", "/searches/99", "/searches/99/figures", "/static/no.js"])
def test_errors_of_pages_are_pages(web, path):
    answer = web.get(path)
    assert answer.status_code == 404 and "Not found" in Page(answer).text
    answer = web.get("/api" + path)
    assert answer.headers["content-type"] == "application/problem+json"


# Login


def test_pages_without_a_token_lead_to_the_login_and_back(class_web):
    token, search = class_web.token("ada"), class_web.add("ada")
    answer = class_web.get(f"/searches/{search.id}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next=/searches/{search.id}")
    assert class_web.get("/api/searches").status_code == 401
    form = Page(class_web.get(answer.headers["location"]))
    assert f"/searches/{search.id}" in form.all("input", "value")
    answer = class_web.post("/login", data={"token": token, "next": f"/searches/{search.id}"})
    assert answer.headers["location"] == f"/searches/{search.id}"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie
    cookies = {COOKIE: answer.cookies[COOKIE]}
    assert "ada" in Page(class_web.get(f"/searches/{search.id}", cookies=cookies)).text
    assert class_web.get("/login", cookies=cookies).headers["location"] == "/"
    gone = class_web.post("/logout", cookies=cookies)
    assert gone.headers["location"] == "/login" and "Max-Age=0" in gone.headers["set-cookie"]


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "/login"])
def test_login_leads_to_no_other_site(class_web, next):
    answer = class_web.post("/login", data={"token": class_web.token("ada"), "next": next})
    assert answer.headers["location"] == "/"


def test_login_counts_wrong_tokens(class_web):
    for _ in range(MAX_WRONG):
        answer = class_web.post("/login", data={"token": "trialbook_wrong"})
        assert answer.status_code == 401 and "set-cookie" not in answer.headers
        assert "this token is wrong or revoked" in Page(answer).text
    answer = class_web.post("/login", data={"token": "trialbook_wrong"})
    assert answer.status_code == 429 and "too many wrong tokens" in Page(answer).text
    answer = class_web.post("/login", data={"token": class_web.token("ada")})
    assert answer.status_code == 303 and COOKIE in answer.cookies  # others share the address


def test_local_service_has_no_login(web):
    assert web.get("/login").headers["location"] == "/"


def test_page_of_a_long_search_shows_its_latest_trials_and_links_to_all(web, monkeypatch):
    search = web.searched()
    trials = [each["number"] for each in web.get(f"/api/searches/{search.id}/trials").json()]
    address = f"/api/searches/{search.id}/trials?format=csv"
    whole = Page(web.get(f"/searches/{search.id}"))
    assert whole.all("tr", "data-key") == [f"{number}" for number in reversed(trials)]
    assert whole.all("a", "href").count(address) == 1 and "The latest" not in whole.text
    monkeypatch.setitem(TEMPLATES.globals, "LATEST", 3)
    TEMPLATES.cache.clear()  # which keeps templates with their values
    page = Page(web.get(f"/searches/{search.id}"))
    TEMPLATES.cache.clear()
    assert page.all("tr", "data-key") == [f"{number}" for number in reversed(trials[-3:])]
    assert f"The latest 3 of {len(trials)}; all as CSV" in page.text
    assert page.all("a", "href").count(address) == 2
