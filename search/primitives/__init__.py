"""The small parts that every other package may import, and that import none of them.

values    plain values, the only ones that pass from a task's code into a study
text      text for people: a duration, a value, a message in one line
redact    passwords and tokens, kept out of what is written down
signals   Ctrl-C and SIGTERM, taken by whatever runs for long
"""
