"""A service whose disk is full: it answers what is asked of it, takes nothing new, and goes on later."""

import contextlib
import resource

import pytest


@contextlib.contextmanager
def full_disk():
    """No file of this process can grow meanwhile, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.integration
def test_service_on_a_full_disk_answers_refuses_changes_and_recovers(web, home):
    search = web.searched()
    queued = web.add()
    asked = {"task": "bowl", "trials": 3}
    reads = ["", f"/{search.id}", f"/{search.id}/trials", f"/{search.id}/winner", f"/{search.id}/report"]
    before = [web.get(f"/api/searches{path}").status_code for path in reads]
    assert before == [200] * len(reads) and web.get("/healthz").text == "ok"
    with full_disk():
        after = [web.get(f"/api/searches{path}").status_code for path in reads]
        refused = [
            web.post("/api/searches", json=asked),
            web.post("/api/searches", json=asked, headers={"Idempotency-Key": "k"}),
            web.post(f"/api/searches/{queued.id}/cancel"),
            web.post(f"/api/searches/{search.id}/trials", json={"params": {"x": 0.5}}),
            web.post(f"/api/searches/{search.id}/void", json={"trials": [1], "reason": "a bug"}),
        ]
        health, page = web.get("/healthz"), web.get(f"/searches/{search.id}")
    assert after == before and page.status_code == 200
    for answer in refused:
        assert answer.status_code == 503, answer.text
        detail = answer.json()["detail"]
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert detail and "\n" not in detail and "Traceback" not in detail
    assert health.status_code == 503 and health.text == (
        f"cannot write to {home}/mlruns/service: File too large"
    )

    assert web.get("/healthz").text == "ok" and not (home / "mlruns" / "service" / "probe").exists()
    assert [each["id"] for each in web.get("/api/searches").json()] == [queued.id, search.id]
    made = web.post("/api/searches", json=asked, headers={"Idempotency-Key": "k"})
    assert made.status_code == 201
    assert web.post(f"/api/searches/{made.json()['id']}/cancel").status_code == 200
    assert web.post(f"/api/searches/{queued.id}/cancel").json()["state"] == "cancelled"
