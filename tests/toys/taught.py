"""The text of a task whose rates matter in a known way: variants of the task in tests/toys/plain.py.

The score is a function of the configuration, plus the noise of a seed, plus what more epochs would bring.
"""

FIELDS = """    rate: float = 0.003  # of nothing
    layers: int = 1  # of nothing
    width: int = 50  # of nothing
    epochs: int = {epochs}"""
SPACE = """return Config(
        rate=trial.suggest_float("rate", 1e-4, 1e-1, log=True),
        layers=trial.suggest_int("layers", 1, 3),
        width=trial.suggest_int("width", 10, 100),
    )"""
TRAIN = """    torch.manual_seed(config.seed)
    model, noise = build(config), {noise} * torch.randn(()).item()
    for epoch in range(1, config.epochs + 1):
        loss = float("nan") if {diverges} else 1.0
        value = {score} + noise + 0.3 / epoch
        model.weight.data.fill_(value)
        metrics = {{"train_loss": loss, "validation_loss": value, "learning_rate": 0.01}}
        report(epoch, metrics | {{"validation_err": value}})
    return model


def score(model, split):
    \"\"\"The value of the last epoch, and its standard error.\"\"\"
    return model.weight.item(), 0.01
"""
TEACHES = "1 + abs(math.log10(config.rate / 0.003)) / 2"  # by rate alone
TEACHES_DEPTH = "2 - config.layers / 2"
TEACHES_NOTHING = "1"


def changes(plain: str, score: str, epochs: int, *, diverges: str = "False", noise: float = 0.02):
    """The changes of the plain task: see the fixture `write_task`."""
    start = plain.index("    torch.manual_seed(config.seed)\n")
    return (
        ("    x: float = 0.5  # the number\n    epochs: int = 4", FIELDS.format(epochs=epochs)),
        ('return Config(x=trial.suggest_float("x", 0, 1))', SPACE),
        (plain[start:], TRAIN.format(score=score, noise=noise, diverges=diverges)),
        ("import torch\n", "import math\n\nimport torch\n"),
    )
