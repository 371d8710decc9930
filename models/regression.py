"""The network that approximates a curve.

B batch.
"""

from torch import nn


class RegressionModel(nn.Module):
    """Linear layers with a ReLU between each two. Source: the course's handout, question 2.

    Args:
        hidden_size: units of each hidden layer.
        layers: hidden layers, 1 to 3 recommended.
    """

    def __init__(self, hidden_size=300, layers=2):
        super().__init__()
        widths = [1] + layers * [hidden_size]
        hidden = [part for pair in zip(widths, widths[1:]) for part in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(hidden_size, 1))

    def forward(self, x_B1):
        """Heights (B, 1) of the curve at the places x (B, 1)."""
        return self.layers(x_B1)
