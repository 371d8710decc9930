"""The network that tells which digit an image shows.

B batch.
"""

from torch import nn


class DigitClassificationModel(nn.Module):
    """Linear layers with a ReLU between each two. Source: the course's handout, question 3.

    Args:
        hidden_size: units of each hidden layer, 100 to 500 recommended.
        layers: hidden layers, 1 to 3 recommended.
    """

    def __init__(self, hidden_size=300, layers=2):
        super().__init__()
        widths = [784] + layers * [hidden_size]
        hidden = [part for pair in zip(widths, widths[1:]) for part in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(hidden_size, 10))

    def forward(self, x_B784):
        """Scores (B, 10) of images given as rows of pixels (B, 784)."""
        return self.layers(x_B784)
