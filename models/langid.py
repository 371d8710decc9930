"""The recurrent network that tells the language of a word.

L letters, B batch, H hidden units, K languages.
"""

import torch
from torch import nn


class LanguageIDModel(nn.Module):
    """Reads a word letter by letter: z_0 = x_0 W_x, z_i = x_i W_x + h_i W_hidden, h_(i+1) = relu(z_i).

    A deeper layer reads the states of the layer below as that one reads the letters. The state
    after the last letter decides. Source: the course's handout, question 4.

    Args:
        hidden_size: units of each layer's state.
        layers: recurrent layers, 1 to 3 recommended.
        letters: size of the alphabet.
        languages: number of scores.
    """

    def __init__(self, hidden_size=300, layers=1, letters=47, languages=5):
        super().__init__()
        # A one-hot letter times a matrix is a row of that matrix: an embedding look-up.
        self.first_x = nn.Embedding(letters, hidden_size)
        nn.init.uniform_(self.first_x.weight, -(hidden_size**-0.5), hidden_size**-0.5)
        self.deeper_x = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(layers - 1))
        self.hidden = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(layers))
        self.output = nn.Linear(hidden_size, languages)

    def forward(self, x_LB):
        """Scores (B, K) of a batch of words of one length, letter indices (L, B) int64."""
        z_LBH = self.first_x(x_LB)
        for layer, hidden in enumerate(self.hidden):
            if layer > 0:
                z_LBH = self.deeper_x[layer - 1](h_LBH)
            h_BH = torch.relu(z_LBH[0])
            states = [h_BH]
            for z_BH in z_LBH[1:]:
                h_BH = torch.relu(z_BH + hidden(h_BH))
                states.append(h_BH)
            h_LBH = torch.stack(states)
        return self.output(h_BH)
