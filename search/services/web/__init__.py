"""The search service: a queue of searches with a page, an API, and persons who own them.

    tables    the tables of the service, and their database
    queue     who asked for which search, its state, and whose turn it is
    runner    the processes of the running searches: starts them, finds them again, ends them
    auth      who asks: tokens, roles, and what a foreign page must not do
    summary   a study as the service shows it: trials with estimates, the winner with its odds
    events    what happens in a search, as a stream that can be resumed
    routes    the API
    pages     the same for people, as pages
    app       all of it as one application, with its errors and its limits

Data flow: a route writes a request into the queue; the runner starts the command that a person would type,
as a process; that process searches and writes the study; routes, pages and events read the study. The
service never writes a study: what a person asks of one travels to its process as a request.
"""
