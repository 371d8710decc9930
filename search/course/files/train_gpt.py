"""Train the character GPT on a text, and let it write: python train_gpt.py [input.txt] [prompt]"""

import sys

import torch
from gpt_model import Character_GPT

CHARGPT = {"n_embd": 200, "n_layer": 2, "block_size": 32, "batch_size": 64, "learning_rate": 2e-3}
STEPS = 5000


def main(path="input.txt", prompt="Pacman"):
    """Train, print the loss ten times, then 500 characters."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    symbols = sorted(set(text) | set(prompt))
    code = {symbol: number for number, symbol in enumerate(symbols)}
    codes = torch.tensor([code[symbol] for symbol in text])
    block = CHARGPT["block_size"]
    model = Character_GPT(block, CHARGPT["n_embd"], CHARGPT["n_layer"], len(symbols))
    optimizer = torch.optim.Adam(model.parameters(), lr=CHARGPT["learning_rate"])
    for step in range(1, STEPS + 1):
        optimizer.param_groups[0]["lr"] = CHARGPT["learning_rate"] * (1 - (step - 1) / STEPS)
        starts = torch.randint(len(codes) - block, (CHARGPT["batch_size"], 1))
        windows = codes[starts + torch.arange(block + 1)]
        loss = model.get_loss(windows[:, :-1], windows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (STEPS // 10) == 0:
            print(f"step {step}: {loss.item():.3f} nats a character", flush=True)
    written = model.generate(torch.tensor([[code[symbol] for symbol in prompt]]), 500)
    print("".join(symbols[number] for number in written[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
