"""The convolution, and the network that looks at digits through one.

B batch.
"""

import torch
from torch import nn


def convolve(input, weight):
    """Valid 2-D convolution, as cross-correlation. Source: the course's handout, question 5.

    Args:
        input: one matrix (height, width), or any number in leading dimensions (..., height, width).
        weight: a matrix (rows, columns), no larger.

    Returns (..., height - rows + 1, width - columns + 1).
    """
    height, width = (long - short + 1 for long, short in zip(input.shape[-2:], weight.shape))
    met = input.unfold(-2, height, 1).unfold(-2, width, 1)  # (..., rows, columns, height, width), views
    return torch.tensordot(weight, met, dims=([0, 1], [-4, -3]))  # each weight times all that it meets


def Convolve(input, weight):
    """`convolve` under the course's name."""
    return convolve(input, weight)


class DigitConvolutionalModel(nn.Module):
    """A 3 x 3 convolution, then linear layers with a ReLU between each two; none after the convolution.

    Source: the course's handout, question 5.

    Args:
        hidden_size: units of each hidden layer, 100 to 500 recommended.
        layers: hidden layers, 1 to 3 recommended.
    """

    def __init__(self, hidden_size=300, layers=1):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 3).uniform_(-1 / 3, 1 / 3))  # as nn.Conv2d would
        widths = [26 * 26] + layers * [hidden_size]
        hidden = [part for pair in zip(widths, widths[1:]) for part in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(hidden_size, 10))

    def forward(self, x_B784):
        """Scores (B, 10) of images given as rows of pixels (B, 784)."""
        convolved_B26x26 = convolve(x_B784.unflatten(1, (28, 28)), self.weight)
        return self.layers(convolved_B26x26.flatten(1))
