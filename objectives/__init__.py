"""One task a file. The module is the task, and its file name is its only name.

A task has

    METRIC, DIRECTION         what is scored, and "maximize" or "minimize"
    TOLERANCE                 how much worse a score may be where rounding differs: on another
                              machine the same training is, in effect, one with another seed;
                              of a confirmed winner its fresh seeds tell that better
    DATA                      the module of `data/` that prepares and loads what it trains on
    Config                    frozen dataclass of one training's settings; its defaults are the
                              baseline, and every task has `epochs` (the last step that is
                              reported) and `seed`
    space(trial) -> Config    the ranges that are searched; each name suggested is a field of Config;
                              a ValueError calls a draw infeasible
    build(config) -> Module   the untrained network
    train(config, training, validation, report) -> Module
                              calls `report(epoch, metrics)` as it goes, with "train_loss",
                              "validation_loss", "validation_<METRIC>" and "learning_rate",
                              and with text where the task makes some, under a name of its own;
                              `report` may end it by an exception, which it must let pass
    score(model, split) -> (value, standard_error)
                              the metric on one split, and how sure that is

and cannot tell who calls it: a search, another process, a cluster or a frozen script.
"""

import pkgutil

# Tasks may also lie outside: in a folder `objectives` of any folder in PYTHONPATH.
__path__ = pkgutil.extend_path(__path__, __name__)


def names():
    """The names of all tasks, sorted."""
    return sorted({module.name for module in pkgutil.iter_modules(__path__)} - {"replay", "descent"})
