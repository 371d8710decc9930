"""Attention: each place of a sequence reads what it needs from the places up to it.

B batch, T places, C units of a place, V vocabulary.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """softmax(mask(Q K^T / sqrt(layer_size))) V, where Q, K and V are linear layers of the input: each of up
    to `block_size` places reads none that is later. Source: course handout, question 6.
    """

    def __init__(self, layer_size, block_size):
        super().__init__()
        self.k_layer = nn.Linear(layer_size, layer_size)
        self.q_layer = nn.Linear(layer_size, layer_size)
        self.v_layer = nn.Linear(layer_size, layer_size)
        self.register_buffer("mask", torch.ones(1, 1, block_size, block_size).tril())

    def forward(self, x_BTC):
        """What each place reads (B, T, C) of the places (B, T, C)."""
        k_BTC, q_BTC, v_BTC = self.k_layer(x_BTC), self.q_layer(x_BTC), self.v_layer(x_BTC)
        scores_BTT = q_BTC @ k_BTC.mT / math.sqrt(k_BTC.shape[-1])
        later_TT = self.mask[0, 0, : x_BTC.shape[-2], : x_BTC.shape[-2]] == 0
        return scores_BTT.masked_fill(later_TT, -math.inf).softmax(-1) @ v_BTC


AttentionBlock = Attention  # the handout's other name


class AttentionModel(nn.Module):
    """Scores for the character after each of up to `block_size` characters, from one look back.

    An embedding of `n_embd` units, to which that of the place is added, as attention does not see
    the order; attention; a linear layer to the `vocab_size` characters.
    """

    def __init__(self, block_size=32, n_embd=160, vocab_size=96):
        super().__init__()
        self.block_size = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.place = nn.Embedding(block_size, n_embd)
        self.attention = Attention(n_embd, block_size)
        self.output = nn.Linear(n_embd, vocab_size)

    def forward(self, x_BT):
        """Scores (B, T, V) of characters given as codes (B, T) int64."""
        x_BTC = self.embedding(x_BT) + self.place.weight[..., None, : x_BT.shape[-1], :]
        return self.output(self.attention(x_BTC))

    def get_loss(self, x_BT, y_BT):
        """Mean cross-entropy (nats a character), where the codes y_BT should follow x_BT."""
        return F.cross_entropy(self(x_BT).flatten(0, 1), y_BT.flatten())
