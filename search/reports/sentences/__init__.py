"""What a study teaches, as sentences with numbers. Each says how far to trust it.

    importances  which hyperparameters set the best trials apart
    effects      which values of a hyperparameter lead, and which lag
    depths       whether depth was worth it
    costs        what a hyperparameter costs in time
    advice       what to do next: ranges, failures, budget, noise

`mattered` collects what the first four say. All of them describe the trials that were run: a sampler does
not draw evenly from all of a range.
"""

from collections.abc import Mapping

from search.reports.evidence import Evidence, Sentence
from search.reports.sentences.costs import cheaper, cost
from search.reports.sentences.depths import depth
from search.reports.sentences.effects import effect, rate_and_batch
from search.reports.sentences.importances import importance


def mattered(evidence: Evidence, shares: Mapping[str, float], chance_share: float) -> list[Sentence]:
    """Sentences about the hyperparameters, the most important first.

    Args:
        evidence: that of the study.
        shares, chance_share: see `importances`.
    """
    sentences: list[Sentence | None]
    if few := evidence.too_few():
        sentences = [few, depth(evidence)]
    else:
        names = sorted(evidence.study.ranges(), key=lambda name: -shares.get(name, 0))
        sentences = [importance(evidence, shares, chance_share), depth(evidence)]
        sentences += [effect(evidence, name) for name in names]
        sentences += [rate_and_batch(evidence), cost(evidence), cheaper(evidence)]
    return [sentence for sentence in sentences if sentence]
