"""A small classifier of Fashion-MNIST, trained on real images: the judge of generated ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from codebase.data import NUM_CLASSES, FashionMnist

# torch leaves backward without annotations.
# mypy: disable-error-code="no-untyped-call"

EPOCHS = 4
BATCH_SIZE = 128
HIGHEST_RATE = 3e-3


class Classifier(nn.Module):
    """Two convolutions and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (B, 32, 14, 14)
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (B, 64, 7, 7)
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(64 * 7 * 7, 128),
            nn.ReLU(),
            nn.Linear(128, NUM_CLASSES),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) to class scores (B, 10)."""
        scores: Tensor = self.net(x)
        return scores


def train_classifier(data: FashionMnist, *, seed: int = 0, epochs: int = EPOCHS) -> Classifier:
    """Train a classifier on real images; generated ones play no part.

    Args:
        data: the training set.
        seed: seed of the weights and of the order of the batches.
        epochs: passes over the training set.
    """
    torch.manual_seed(seed)
    classifier = Classifier().train()
    batches = DataLoader(
        TensorDataset(data.images, data.labels), batch_size=BATCH_SIZE, shuffle=True
    )
    optimizer = torch.optim.Adam(classifier.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, HIGHEST_RATE, total_steps=epochs * len(batches)
    )
    for _ in range(epochs):
        for images, labels in batches:
            loss = F.cross_entropy(classifier(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return classifier.eval()


def class_probabilities(classifier: Classifier, images: Tensor) -> Tensor:
    """Return the probabilities that a classifier gives to each class.

    Args:
        classifier: in evaluation mode.
        images: (N, 1, 28, 28), between -1 and 1.

    Returns:
        (N, 10), float64, rows sum to 1.
    """
    with torch.no_grad():
        scores = torch.cat([classifier(part) for part in images.split(1000)])
    return scores.double().softmax(dim=1)
