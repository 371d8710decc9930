"""What a command does for long, shown in the terminal.

session     one search, from its first line to the next commands
remote      one search of a service, with the same display
rehearsal   checks a task for its author
"""
