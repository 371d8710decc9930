"""This project in real runs: its own search with its defaults, its own trainers and its log."""

import os
import shutil
import tempfile

from search import coordinator, paths, storage
from search.executors.processes import Processes
from search.strategy import winner
from search.strategy.assessment import Limits
from search.study.opening import open_study
from tests.bench.real.core import Handed
from tests.bench.replay.ours import HandsOver

WON = paths.frozen("langid").parent  # the frozen winners of all tasks


def search(work, warm):
    """Search as a user does, until the time is over or more promises too little.

    It hands over what it names, confirmed or not.

    Args:
        warm: whether it may begin with what won other tasks.
    """
    with tempfile.TemporaryDirectory() as home:
        os.environ["TRIALBOOK_HOME"] = home
        if warm:
            shutil.copytree(WON, paths.frozen(work.task).parent)
        from search.reports.page import log_files
        from search.tracking import chosen
        from search.tracking.background import Background
        from search.tracking.projection import Projection

        store = storage.chosen(None)
        with (
            open_study(store, work.module, source=work.source, seed=work.seed) as study,
            Processes(study, work.cores) as trainers,
            Background(Projection(study, chosen(None), log_files)) as log,
        ):
            for _ in range(work.cores):
                trainers.listen(None, 10)  # until they are ready
            handed = Handed(work)
            coordinator.search(
                study,
                trainers,
                Limits(replicates=winner.REPLICATES, stops=True),
                seconds=work.seconds / work.cores,
                watchers=[log, HandsOver(study, handed.best, unconfirmed=True)],
            )
    return handed.changes
