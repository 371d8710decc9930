"""The files that the log keeps of a study: the table of trials and the report."""


def log_files(study) -> dict[str, str]:
    """The text of each file by its name."""
    from search.reports import report, trials_csv  # pandas and plotly: not while trainers start

    return {"trials.csv": trials_csv.trials_csv(study), "report.html": report.page(report.report(study))}
