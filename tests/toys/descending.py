"""Networks of each kind with batches to learn from, alone or in a group."""

from dataclasses import replace

import torch
from torch.nn import functional as F

from models.attention import AttentionModel
from models.chargpt import Character_GPT
from models.convolution import DigitConvolutionalModel
from models.langid import LanguageIDModel
from models.regression import RegressionModel
from objectives.attention import next_character_loss
from search.trainers.groups.descent import Descent

CODES = torch.arange(4 * 10 * 9).view(4, 10, 9) % 23  # of 4 steps of 10 windows
NETWORKS = {
    "regression": (lambda: RegressionModel(12, 2), F.mse_loss, torch.randn(4, 10, 1), torch.randn(4, 10, 1)),
    "langid": (lambda: LanguageIDModel(12, 2), F.cross_entropy, CODES.mT, CODES[:, :, 0] % 5),
    "attention": (lambda: AttentionModel(9, 12), next_character_loss, CODES, CODES),
    "chargpt": (lambda: Character_GPT(9, 12, 2), next_character_loss, CODES, CODES),
}
OPTIMIZERS = {
    "adam": lambda weights, rate: torch.optim.Adam(weights, rate, fused=True),
    "adamw": lambda weights, rate: torch.optim.AdamW(weights, rate, weight_decay=0.1),
    "momentum": lambda weights, rate: torch.optim.SGD(weights, rate, momentum=0.9),
}


def descents(kind, rates, optimizer="adam"):
    """One descent for each learning rate, each with a network and batches of its own."""
    build, criterion, x, y = NETWORKS[kind]
    made = []
    for seed, rate in enumerate(rates):
        torch.manual_seed(seed)
        model, order = build(), torch.randperm(len(x))
        batches = list(zip(x[order], y[order], strict=True))
        made.append(
            Descent(model, OPTIMIZERS[optimizer](model.parameters(), rate), criterion, batches, 4 * [rate])
        )
    return made


def weights(descent):
    """All weights of a network, in one row."""
    return torch.cat([parameter.detach().flatten() for parameter in descent.model.parameters()])


@torch.no_grad()
def assert_alike(group, alone):
    """Outputs are compared: the keys' biases change none, and Adam makes steps of their rounding errors."""
    x = next(x for kind, (build, _, x, _) in NETWORKS.items() if type(build()) is type(group[0].model))
    for one, other in zip(group, alone, strict=True):
        assert torch.allclose(one.model(x[0]), other.model(x[0]), rtol=0, atol=1e-5)


def again(descents):
    """The same networks and steps once more."""
    x, y = NETWORKS["regression"][2:]
    return [replace(each, batches=list(zip(x, y, strict=True))) for each in descents]


def convolution(seed):
    """A descent of a network that cannot be in a group."""
    return Descent(model := DigitConvolutionalModel(8), adam_of(model), F.cross_entropy, [image()], [1e-3])


def adam_of(model):
    """Plain Adam over all weights of a network."""
    return torch.optim.Adam(model.parameters())


def image():
    """A batch of two images."""
    return torch.randn(2, 784), torch.tensor([1, 2])
