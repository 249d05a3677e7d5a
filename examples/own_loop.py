"""SANER in a training loop of your own: the optimizer alone, without searches or runs.

python examples/own_loop.py
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from tune_robust import SharpnessAware

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.data, dtype=torch.float32) / 16
true_labels = torch.tensor(digits.target)

# Half of the training labels are replaced at random.
labels = true_labels.clone()
wrong = torch.rand(len(labels)) < 0.5
labels[wrong] = torch.randint(0, 10, (int(wrong.sum()),))
train, test = torch.arange(1200), torch.arange(1200, len(labels))

model = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 10))
# rho is SAM's radius; alpha below 1 makes it SANER; with model, BatchNorm's statistics are updated
# in the first of the two passes only.
optimizer = SharpnessAware(
    torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), rho=0.1, alpha=0.5, model=model
)

for epoch in range(1, 11):
    model.train()
    for batch in train[torch.randperm(len(train))].split(64):

        def closure(batch=batch):
            """Compute the loss on this batch and its gradient."""
            optimizer.zero_grad()
            loss = cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            return loss

        optimizer.step(closure)
    model.eval()
    with torch.no_grad():
        right = model(images[test]).argmax(1) == true_labels[test]
    print(f"epoch {epoch}: accuracy on correctly labelled test images {right.float().mean():.3f}")
