"""Batch normalization folded into the convolutions before it, where a network allows it."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skin_ai.predict.image_model import ImageModel

CLOSE: Final = 1e-4  # largest difference of a feature map, relative to its largest value


def folded(model: ImageModel, size: int) -> ImageModel:
    """A copy that gives the same feature maps in less time, or the model itself where there is none.

    model: in evaluation mode; size: side of its input in pixels. A normalization that follows a convolution
    in evaluation is one scale and one shift a channel, which the convolution's weights can hold (Jacob et al.
    2018, section 3.2). Which one follows which is seen in one forward pass, and the result is compared.
    """
    inputs = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        changed = copy.deepcopy(model)
        pairs, before = _followed_by_normalization(changed, inputs)
        for convolution_name, norm_name in pairs:
            convolution, norm = map(changed.get_submodule, (convolution_name, norm_name))
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            _set(changed, convolution_name, fuse_conv_bn_eval(convolution, norm))
            _set(changed, norm_name, _rest_of(norm))
        after = changed.feature_map(inputs)
    is_same = torch.allclose(before, after, rtol=0, atol=CLOSE * before.abs().max().item())
    return changed.requires_grad_(False) if pairs and is_same else model


def _followed_by_normalization(model: ImageModel, inputs: Tensor) -> tuple[list[tuple[str, str]], Tensor]:
    """Names of convolutions whose output is the input of a normalization, each with its normalization.

    Returns also the feature map of the inputs.
    """
    made: dict[int, tuple[str, Tensor]] = {}  # with the tensor, so that its id is not given to another
    pairs: list[tuple[str, str]] = []
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(
                module.register_forward_hook(
                    lambda _, __, output, name=name: made.update({id(output): (name, output)})
                )
            )
        elif isinstance(module, nn.BatchNorm2d):

            def seen(_: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
                if (found := made.get(id(given[0]))) is not None:
                    pairs.append((found[0], name))

            hooks.append(module.register_forward_pre_hook(seen))
    features = model.feature_map(inputs)
    for hook in hooks:
        hook.remove()
    # A module that is used twice cannot hold two scales.
    used = Counter(name for pair in pairs for name in pair)
    return [pair for pair in pairs if used[pair[0]] == used[pair[1]] == 1], features


def _rest_of(norm: nn.BatchNorm2d) -> nn.Module:
    """What timm's normalizations do besides: their activation."""
    parts = [part for name in ("drop", "act") if (part := getattr(norm, name, None)) is not None]
    return nn.Sequential(*parts).eval()


def _set(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
