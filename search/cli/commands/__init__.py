"""The commands, one function each. Its name is the command, its docstring the help of the command.

    studies       search, and show what a study holds: its state, winner and report
    sharing       carry results to others: scripts, hand-ins, grades, pages
    maintenance   make trials void; check, repair and copy studies

A command imports heavy libraries itself, so that the others start faster. `search.cli.app` lists them all.
"""
