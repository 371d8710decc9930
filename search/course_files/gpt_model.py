"""A character GPT (question 7): blocks of attention, and a linear layer to the characters."""

import torch
from models import Attention
from torch import nn
from torch.nn import functional as F


class Transformer_Block(nn.Module):
    """Attention, add, normalise, linear and ReLU, add, normalise."""

    def __init__(self, n_embd, block_size):
        super().__init__()
        self.attention = Attention(n_embd, block_size)
        self.linear = nn.Linear(n_embd, n_embd)
        self.norm_1 = nn.LayerNorm(n_embd)
        self.norm_2 = nn.LayerNorm(n_embd)

    def forward(self, input):
        """From (batch, letters, n_embd) to the same."""
        x = self.norm_1(input + self.attention(input))
        return self.norm_2(x + F.relu(self.linear(x)))


class Character_GPT(nn.Module):
    """Scores the character that follows each character.

    Args:
        block_size: characters that it looks back on.
        n_embd: width.
        n_layer: blocks.
        vocab_size: different characters.
    """

    def __init__(self, block_size, n_embd, n_layer, vocab_size):
        super().__init__()
        self.block_size = block_size
        self.characters = nn.Embedding(vocab_size, n_embd)
        self.places = nn.Embedding(block_size, n_embd)
        self.blocks = nn.ModuleList(Transformer_Block(n_embd, block_size) for _ in range(n_layer))
        self.norm = nn.LayerNorm(n_embd)
        self.output = nn.Linear(n_embd, vocab_size)

    def get_loss(self, input, target):
        """Cross-entropy of the characters that follow: input and target (batch, letters)."""
        return F.cross_entropy(self(input).flatten(0, 1), target.flatten())

    def forward(self, input):
        """Scores (batch, letters, vocab_size) of characters (batch, letters)."""
        places = torch.arange(input.size(1), device=input.device)
        x = self.characters(input) + self.places(places)
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x))

    @torch.no_grad()
    def generate(self, idx, max_new_tokens):
        """Characters (batch, letters), followed by new ones, drawn one by one."""
        for _ in range(max_new_tokens):
            scores = self(idx[:, -self.block_size :])[:, -1]
            drawn = torch.multinomial(F.softmax(scores, dim=-1), 1)
            idx = torch.cat((idx, drawn), dim=1)
        return idx


GPT = Character_GPT
