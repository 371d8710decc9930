"""The command line: `python -m search COMMAND --name value`, or `make COMMAND NAME=value`.

    app             parses what was typed, reads the environment, turns errors into exit codes
    commands        the commands on studies, one function each
    commands_share  the commands that carry results to others: scripts, hand-ins, grades, pages
    options         the types of options, and their one-line errors
    selection       the task, the studies and the trials that a person means
    session         one search, from its first line to the next commands
    display         the progress of a search, live or in lines
    terminal        prints tables, texts and errors
    rehearsal       checks a task for its author
    train           trains a frozen winner again

`app` gives a command its options as frozen dataclasses, and the store of studies as an object. A command asks
`selection` what is meant, calls the package that does it, and prints. It returns the exit code.
"""
