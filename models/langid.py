"""The recurrent network that tells the language of a word.

L letters, B batch, H hidden units, K languages.
"""

import torch
from torch import nn


class RecurrentLayer(nn.Module):
    """Reads a sequence: z_0 = x_0 W_x, z_i = x_i W_x + h_i W_hidden, and h_(i+1) = relu(z_i).

    `inputs` is the module that multiplies by W_x.
    """

    def __init__(self, inputs, hidden_size):
        super().__init__()
        self.inputs = inputs
        self.hidden = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x_LB):
        """The states after each element of x (L, B, ...): a list of L tensors (B, H)."""
        first_BH, *rest_BH = self.inputs(x_LB).unbind(-3)
        add_product = torch.addmm if first_BH.dim() == 2 else torch.baddbmm  # of networks side by side
        states_BH = [torch.relu(first_BH)]
        for z_BH in rest_BH:
            states_BH.append(add_product(z_BH, states_BH[-1], self.hidden.weight.mT).relu_())
        return states_BH


class LanguageIDModel(nn.Module):
    """Reads a word letter by letter; the state after the last one decides.

    Each of the `layers`, 1 to 3 recommended, reads the states of the one below, and has a state of
    `hidden_size` units, 100 to 500 recommended. Source: course handout, question 4.
    """

    def __init__(self, hidden_size=300, layers=1, letters=47, languages=5):
        super().__init__()
        # A one-hot letter times a matrix is a row of that matrix: an embedding look-up.
        spelling = nn.Embedding(letters, hidden_size)
        nn.init.uniform_(spelling.weight, -(letters**-0.5), letters**-0.5)  # as nn.Linear would
        deeper = [nn.Linear(hidden_size, hidden_size) for _ in range(layers - 1)]
        self.layers = nn.ModuleList(RecurrentLayer(x, hidden_size) for x in [spelling, *deeper])
        self.output = nn.Linear(hidden_size, languages)

    def forward(self, x_LB):
        """Scores (B, K) of words of one length, given as letter indices (L, B) int64."""
        for layer in self.layers:
            states_BH = layer(x_LB)
            x_LB = torch.stack(states_BH, -3)
        return self.output(states_BH[-1])
