"""A small GPT: it reads a text character by character, and writes on.

B batch, T places, C units of a place, V vocabulary.
"""

import torch
from torch import nn
from torch.nn import functional as F

from models.attention import Attention


class Transformer_Block(nn.Module):
    """Attention, add, normalise; then linear, ReLU, add, normalise. Source: course handout, question 7."""

    def __init__(self, n_embd, block_size):
        super().__init__()
        self.attention = Attention(n_embd, block_size)
        self.norm_1 = nn.LayerNorm(n_embd)
        self.linear = nn.Linear(n_embd, n_embd)
        self.norm_2 = nn.LayerNorm(n_embd)

    def forward(self, x_BTC):
        """The places (B, T, C), each with what it has read and made of that added."""
        x_BTC = self.norm_1(x_BTC + self.attention(x_BTC))
        return self.norm_2(x_BTC + torch.relu(self.linear(x_BTC)))


class Character_GPT(nn.Module):
    """Scores the next character after each of up to `block_size`, in `n_layer` blocks (1 to 3 recommended)
    of `n_embd` units a place (100 to 500). It learns the places too: attention does not see the order.
    """

    def __init__(self, block_size=32, n_embd=160, n_layer=1, vocab_size=96):
        super().__init__()
        self.block_size = block_size
        self.embedding = nn.Embedding(vocab_size, n_embd)
        self.place = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(*(Transformer_Block(n_embd, block_size) for _ in range(n_layer)))
        self.norm = nn.LayerNorm(n_embd)
        self.output = nn.Linear(n_embd, vocab_size)

    def forward(self, input_BT):
        """Scores (B, T, V) of characters given as codes (B, T) int64."""
        x_BTC = self.embedding(input_BT) + self.place.weight[..., None, : input_BT.shape[-1], :]
        return self.output(self.norm(self.blocks(x_BTC)))

    def get_loss(self, input_BT, target_BT):
        """Mean cross-entropy (nats a character), where the codes target_BT should follow input_BT."""
        return F.cross_entropy(self(input_BT).flatten(0, 1), target_BT.flatten())

    @torch.no_grad()
    def generate(self, idx_BT, max_new_tokens, generator=None):
        """The codes (B, T), of one or more characters, and after them as many new ones as asked for."""
        for _ in range(max_new_tokens):
            scores_BV = self(idx_BT[:, -self.block_size :])[:, -1].nan_to_num()  # diverged, it draws blindly
            next_B1 = torch.multinomial(scores_BV.softmax(1), 1, generator=generator)
            idx_BT = torch.cat([idx_BT, next_B1], 1)
        return idx_BT


GPT = Character_GPT  # the handout's other name
