"""The files that the log keeps of a study: the table of trials and the report."""


def log_files(study) -> dict[str, str]:
    """The text of each file by its name."""
    from search.reports import page, report, trials_table  # pandas and plotly: not while trainers start

    return {"trials.csv": trials_table.trials_csv(study), "report.html": page.page(report.report(study))}
