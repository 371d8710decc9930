"""The command line: `python -m search COMMAND --name value`, or `make COMMAND NAME=value`.

    app         parses what was typed, reads the environment, turns errors into exit codes
    commands    the commands, one function each
    options     the types of options, and their groups
    readers     options as they are typed, as values, and one-line errors
    selection   the task, the studies and the trials that a person means
    sessions    what takes long: a search here or on a service, the check of a task
    display     the progress of a search, live or in lines
    terminal    prints tables, texts and errors

`app` gives a command its options as frozen dataclasses, and the store of studies as an object. A command asks
`selection` what is meant, calls the package that does it, and prints. It returns the exit code.
"""
