"""The search service as an application: a page and an API, for persons who own searches.

    auth        who asks: tokens, roles, and what a foreign page must not do
    feeds       a search as it is followed: its events, its summary, and streams of both
    service     what all routes and pages share
    routes      the API of what can be read
    changes     the API of what can be changed
    templating  how pages are made: templates, and the files that browsers keep
    pages       the same for people, as pages
    docs        the API explained: its document, and pages of it that need no network
    app         all of it as one application, with its errors and its limits

Data flow: a change writes a request into the queue of `search.services.queue`; routes, pages and feeds read
the queue and the studies.
"""
