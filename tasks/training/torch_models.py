"""Networks of the validation problems and test families, in torch: small, plain, without dropout."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mlp(inputs: int, widths: tuple[int, ...], outputs: int) -> nn.Module:
    """(n, ...) to (n, outputs): flattened, ReLU between layers."""
    layers: list[nn.Module] = [nn.Flatten()]
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def conv(side: int, widths: tuple[int, ...], outputs: int) -> nn.Module:
    """(n, side, side) to (n, outputs): 3x3 convolutions, each halving the side, then a linear layer."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, side))]
    channels = 1
    for width in widths:
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
        channels, side = width, (side + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, outputs))


class Block(nn.Module):
    """Pre-norm attention and MLP (Xiong et al. 2020)."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(n, length, width) to the same."""
        n, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class ViT(nn.Module):
    """(n, side, side) to (n, outputs): patches, learned positions, mean over patches (Dosovitskiy et al. 2021)."""

    def __init__(self, side: int, patch: int, width: int, depth: int, heads: int, outputs: int) -> None:
        super().__init__()
        self.patch, count = patch, (side // patch) ** 2
        self.embed = nn.Linear(patch * patch, width)
        self.position = nn.Parameter(0.02 * torch.randn(count, width))
        self.blocks = nn.Sequential(*(Block(width, heads, causal=False) for _ in range(depth)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        n, side, _ = x.shape
        p, rows = self.patch, side // self.patch
        patches = x.view(n, rows, p, rows, p).transpose(2, 3).reshape(n, rows * rows, p * p)
        return self.head(self.blocks(self.embed(patches) + self.position).mean(1))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """(n, length) characters to (n, length, characters): a causal language model with learned positions."""

    def __init__(self, characters: int, context: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(characters, width)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.position = nn.Parameter(0.02 * torch.randn(context, width))
        self.blocks = nn.Sequential(*(Block(width, heads, causal=True) for _ in range(depth)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, characters))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the next character at each place."""
        return self.head(self.blocks(self.embed(x) + self.position[: x.shape[1]]))  # type: ignore[no-any-return]
