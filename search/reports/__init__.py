"""What a study teaches, as text, as a page and as a table of data.

    evidence      the trials that count as evidence, their ranks, and a Sentence about them
    effects       which hyperparameters mattered, how, and at what cost
    advice        what to do next: ranges, budget, noise
    report        all of it as one Report: question, answer, winner, effects, advice
    page          a Report as one HTML file (templates/report.html); the plots are in it
    plots         the figures of that page
    tables        a Report, a winner, or all studies as tables for the terminal
    compare       two studies side by side
    trials_table  all trials as a pandas DataFrame, and that as CSV

A study's trials become evidence. `effects` and `advice` turn evidence into sentences with numbers.
`report` collects the sentences, and `page` and `tables` show them. Nothing here writes to a study.
"""
