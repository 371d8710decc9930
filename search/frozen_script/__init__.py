"""A frozen script: a task's winner as one file that trains it again and needs only numpy and torch.

    statements   the top-level statements of a module: names bound and used, effects, text
    module       one module of the project as text: its statements and imports
    source_code  the statements of all modules that train a task, and their digest
    defaults     the class Config with the winning values as its defaults
    script       the text of the script, checked to be complete
    files        a script as a file: found, read, written, proved

Data flow: `Sources(task)` collects the statements that training uses. `script_of` joins them to a text, with
the winner's values and a record of its score. `prove` runs that text in a clean interpreter, and `write`
puts it in its place. No task is imported here: the caller passes its module, defaults and ranges.
"""
