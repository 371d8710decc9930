"""The perceptron, which tells two classes apart.

B batch, K dimensions.
"""

import torch
from torch import nn


class PerceptronModel(nn.Module):
    """One weight for each dimension of a point. Source: the course's handout, question 1."""

    def __init__(self, dimensions):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dimensions))

    def get_weights(self):
        """The weights (1, K)."""
        return self.weight

    def forward(self, x_BK):
        """The dot product of each point with the weights: (B, 1)."""
        return x_BK @ self.weight.T

    def get_prediction(self, x_1K):
        """The class of one point: +1 where the dot product is not negative, else -1."""
        return 1 if self(x_1K).item() >= 0 else -1
