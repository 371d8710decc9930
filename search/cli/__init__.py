"""The command line: what is typed, what is shown, and how each command ends.

commands    one function a command, and the exit code of each failure
options     the options, what each accepts, and its message where a value is wrong
session     one search as a person sees it
display     what a terminal shows while a search runs
terminal    tables and lines that stay whole
selection   the trials that a person means
rehearsal   a check of a task, with a short training
train       a frozen winner trained again
"""
