"""One training, kept apart from all others. Executors place it: see `search.executors`.

    trainer         trains one configuration after another on data that it loads once
    training        one training, in a thread of its own, which can pause and go on
    groups          networks of one shape that take their steps together
    received        checks what a task hands over (reports, scores, exceptions), as plain values
    isolation       keeps the process's state that a task may change apart for each training
    module_globals  keeps the globals of a task's modules apart for each training
    splits          gives each training data of its own
    messages        the verdicts, entries and outcomes that cross this boundary, without torch

A `Trainer` gets a Config's plain values. The training's thread builds the Config once and calls
`task.train`. Each `report` is checked, and control passes to the caller, which returns a verdict: go
on, pause or stop. At the end the thread scores the network, and the trainer returns the outcome.

A `Trainer` also trains outside a search, as the test evaluation and the rehearsal do.
"""
