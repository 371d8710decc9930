"""The document of the API and its pages: complete, right, and without any other site."""

import json
from urllib.parse import urlsplit

from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from search.client.models import State

PATIENCE = 40  # seconds until the page must show its operations


def document(web):
    return web.get("/openapi.json").json()


def operations(web):
    """Each operation by "method path"."""
    paths = document(web)["paths"].items()
    return {f"{method} {path}": each for path, methods in paths for method, each in methods.items()}


def parts(node):
    """All dictionaries of a document."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from parts(each)


def test_each_operation_has_a_name_a_sentence_and_a_part(web):
    known, tags = operations(web), {tag["name"] for tag in document(web)["tags"]}
    assert len(known) == 20
    assert len({each["operationId"] for each in known.values()}) == len(known)
    for each in known.values():
        assert each["operationId"].isidentifier() and each["summary"] and not each["summary"].endswith(".")
        assert set(each["tags"]) <= tags and len(each["tags"]) == 1
    assert {tag for each in known.values() for tag in each["tags"]} == tags


def test_each_reference_leads_to_a_schema(web):
    whole = document(web)
    references = {each["$ref"] for each in parts(whole) if isinstance(each.get("$ref"), str)}
    assert references == {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}


def test_each_error_is_a_problem(web):
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for name, each in operations(web).items():
        errors = {status: found["content"] for status, found in each["responses"].items() if status >= "4"}
        if name == "get /healthz":
            assert errors == {"503": {"text/plain": {"schema": {"type": "string"}}}}
        else:
            assert errors and set(map(json.dumps, errors.values())) == {
                json.dumps({"application/problem+json": problem})
            }


def test_each_answer_has_a_type_that_the_document_names(web):
    number = web.searched().id
    cases = {f"get {path}": path for path in ("/api/tasks", "/api/searches", "/healthz", "/metrics")}
    for name in ("", "/trials", "/progress", "/winner", "/records", "/events", "/report", "/script"):
        cases[f"get /api/searches/{{id}}{name}"] = f"/api/searches/{number}{name}"
    known = operations(web)
    for name, path in cases.items():
        answer = web.get(path)
        responses = known[name]["responses"][str(answer.status_code)]
        assert answer.headers["Content-Type"].partition(";")[0] in responses["content"], name
    assert web.service.queue.find(number).state == State.DONE


def test_requests_have_examples_that_are_valid(web):
    schemas = document(web)["components"]["schemas"]
    bodies = [each["requestBody"] for each in operations(web).values() if "requestBody" in each]
    names = [body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies]
    assert sorted(names) == ["ExtendRequest", "SearchRequest", "TrialRequest", "VoidRequest"]
    for name in names:
        [example] = schemas[name]["examples"]
        assert example.keys() <= schemas[name]["properties"].keys() >= set(schemas[name].get("required", ()))


def test_a_token_is_asked_for_where_one_is_needed(web, class_web):
    assert "security" not in document(web)
    asked = document(class_web)
    assert asked["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert asked["security"] == [{"token": []}] and asked["paths"]["/healthz"]["get"]["security"] == []


def test_files_of_the_pages_are_those_alone(web):
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        answer = web.get(f"/static/docs/{name}")
        assert len(answer.content) > 100_000 and "immutable" in answer.headers["Cache-Control"]
    for name in ("redoc.standalone.js", "..%2fcore.py", "%2e%2e"):
        assert web.get(f"/static/docs/{name}").status_code == 404


def test_the_pages_show_all_operations_and_ask_no_other_site(web, browser):
    browser.get(f"{web.address}/docs")
    waiting = WebDriverWait(browser, PATIENCE)
    waiting.until(lambda page: len(page.find_elements(By.CSS_SELECTOR, ".opblock")) == len(operations(web)))
    browser.find_element(By.CSS_SELECTOR, "#operations-queue-tasks button").click()
    browser.find_element(By.CSS_SELECTOR, ".try-out__btn").click()
    browser.find_element(By.CSS_SELECTOR, "button.execute").click()
    waiting.until(lambda page: "Where is the lowest point" in page.find_element(By.TAG_NAME, "body").text)
    said = [entry for entry in browser.get_log("browser") if entry["level"] != "DEBUG"]
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    asked = [urlsplit(each["request"]["url"]) for each in sent]
    hosts = {each.netloc for each in asked if each.scheme not in ("data", "chrome")}  # the browser's own
    assert said == [] and hosts == {urlsplit(web.address).netloc}
    assert {"/docs", "/openapi.json", "/api/tasks"} <= {each.path for each in asked}
