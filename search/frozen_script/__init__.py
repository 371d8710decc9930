"""The text of one script that holds all that a training needs.

    statements    the statements of a module, their comments, and the names that they use
    source_code   a task's file and what it needs of models, data and objectives
    defaults      the class Config with other values as its defaults
    script        the text: cut out of the real sources, checked to hold together
    files         such a script as a file: read, written whole, proved

`source_code` cuts statements, `defaults` writes values, `script` puts them together, `files` proves the result.
"""
