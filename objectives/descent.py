"""Gradient descent over batches: the inner loop of the tasks that train networks.

A search may put another function in its place, which takes the steps of several networks at once.
"""


def descend(model, optimizer, criterion, batches, rates):
    """Take one step for each batch, at its learning rate. Returns the mean loss of an example.

    Args:
        criterion: the mean loss of a batch, as criterion(model(x), y).
        batches: pairs (x, y), at least one. All that is random about them was drawn before.
        rates: the learning rate of each step.
    """
    weights, loss_sum, examples = list(model.parameters()), 0.0, 0
    for (x, y), rate in zip(batches, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        loss = criterion(model(x), y)
        for weight in weights:
            weight.grad = None  # optimizer.zero_grad() does the same, in ten times the time
        loss.backward()
        optimizer.step()
        loss_sum += loss.detach() * len(y)
        examples += len(y)
    return float(loss_sum) / examples
