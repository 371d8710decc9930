"""The queue of the search service, and the processes of its searches.

    tables   the tables of the service, and their database
    queue    who asked for which search, its state, and whose turn it is
    claim    the right to start searches, which one service has in a database
    process  the process of a search: its files, its lock, and how it starts
    steps    the steps of a search, each what a person would type
    runner   the processes of all searches: starts them, finds them again, ends them

Data flow: `queue` writes what persons ask for; `runner` starts the command that a person would type, as a
process; that process searches and writes the study. The service itself never writes a study: what a person
asks of one travels to its process as a request.
"""
