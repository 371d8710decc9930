"""One study: its description, its trials, and the right to write it.

    trial      a Trial, its state, and the entries that make trials void
    view       StudyView: the queries of a study, from a store or from a hand-in
    history    its trials in the orders in which a search asks for them
    stored     StoredStudy: a view that reads a store, and reads on
    study      Study: a stored study that this process may write
    shared     SharedStudy: a study that several coordinators search
    opening    creates, resumes or locks a study; only trials of today's code count
    requests   what other programs ask of a search: to train a configuration, to make trials void
    schema     what its records must be like, when they are written and when they are read

Records come from a store, become Trials in a history, and are queried through the view.
"""
