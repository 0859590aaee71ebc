"""The generators and discriminators of problems 2, 4 and 5 (given: nothing to do here)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _image_decoder(input_size: int, num_channels: int) -> nn.Sequential:
    """The layers that turn (B, input_size) into images (B, num_channels, 28, 28)."""
    return nn.Sequential(
        nn.Linear(input_size, 512),
        nn.BatchNorm1d(512),
        nn.ReLU(),
        nn.Linear(512, 64 * 7 * 7),
        nn.BatchNorm1d(64 * 7 * 7),
        nn.ReLU(),
        nn.Unflatten(1, (64, 7, 7)),
        nn.PixelShuffle(2),  # (B, 16, 14, 14)
        nn.Conv2d(16, 32, kernel_size=3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.PixelShuffle(2),  # (B, 8, 28, 28)
        nn.Conv2d(8, num_channels, kernel_size=3, padding=1),
    )


def _image_encoder(num_outputs: int) -> nn.Sequential:
    """The layers that turn images (B, 1, 28, 28) into (B, num_outputs)."""
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),  # (B, 32, 14, 14)
        nn.LeakyReLU(0.1),
        nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1),  # (B, 64, 7, 7)
        nn.LeakyReLU(0.1),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 512),
        nn.LeakyReLU(0.1),
        nn.Linear(512, num_outputs),
    )


class Generator(nn.Module):
    """G(z): from latent noise to images."""

    def __init__(self, dim_z: int = 64, num_channels: int = 1) -> None:
        """
        Args:
            dim_z: size of the latent vector.
            num_channels: channels of the images.
        """
        super().__init__()
        self.dim_z = dim_z
        self.net = _image_decoder(dim_z, num_channels)

    def forward(self, z: Tensor) -> Tensor:
        """Map latents (B, dim_z) to images (B, num_channels, 28, 28)."""
        images: Tensor = self.net(z)
        return images


class Discriminator(nn.Module):
    """h(x): from images to logits, one per image; D(x) = sigmoid(h(x))."""

    def __init__(self) -> None:
        super().__init__()
        self.net = _image_encoder(1)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) to logits (B,)."""
        logits: Tensor = self.net(x).squeeze(1)
        return logits


class ConditionalGenerator(nn.Module):
    """G(z, y): the label is concatenated to the latent vector, as a one-hot vector."""

    def __init__(self, dim_z: int = 64, num_channels: int = 1, num_classes: int = 10) -> None:
        """
        Args:
            dim_z: size of the latent vector.
            num_channels: channels of the images.
            num_classes: number of classes; labels are 0 .. num_classes - 1.
        """
        super().__init__()
        self.dim_z = dim_z
        self.num_classes = num_classes
        self.net = _image_decoder(dim_z + num_classes, num_channels)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Map latents (B, dim_z) and int64 labels (B,) to images (B, num_channels, 28, 28)."""
        one_hot = F.one_hot(y, self.num_classes).to(z.dtype)
        images: Tensor = self.net(torch.cat([z, one_hot], dim=1))
        return images


class ConditionalDiscriminator(nn.Module):
    """h(x, y) = y^T (A phi(x) + b), the form derived in part 4.1; y is a one-hot vector."""

    def __init__(self, num_classes: int = 10) -> None:
        """
        Args:
            num_classes: number of classes; labels are 0 .. num_classes - 1.
        """
        super().__init__()
        self.net = _image_encoder(num_classes)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) and int64 labels (B,) to logits (B,)."""
        per_class: Tensor = self.net(x)  # (B, num_classes)
        return per_class.gather(1, y.unsqueeze(1)).squeeze(1)
