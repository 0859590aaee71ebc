"""A GPU that needs none: tensors stay on the CPU, and we keep book of those that would be on a GPU.

A mode sees every function of torch that Python code calls. Each tensor that is moved to `GPU`, made
there, or computed from one that is there, belongs to it; what counts is its memory, so a view or a
parameter is where the tensor is that it shares memory with. A call that combines tensors of both
devices raises, as it would on a GPU. Values are real, so code that reads them works.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from autograder.engine.sandbox.experiment import run_eagerly

GPU = torch.device("cuda", 0)
_CPU = torch.device("cpu")

_TO_OTHER = frozenset({Tensor.to, Tensor.type_as})
# They take tensors of both devices: they copy, or use no more than a shape.
_TAKE_BOTH = frozenset(
    {
        Tensor.copy_,
        Tensor.data.__set__,  # type: ignore[attr-defined]
        Tensor.expand_as,
        Tensor.reshape_as,
        Tensor.view_as,
        torch.broadcast_tensors,
        # Asked when a module moves; internal, so it may disappear.
        getattr(torch, "_has_compatible_shallow_copy_type", None),
        torch.is_same_size,
        torch.result_type,
        *_TO_OTHER,
    }
)
_NO_NUMPY: tuple[Any, ...] = (Tensor.numpy, Tensor.__array__)


class MixedDevices(RuntimeError):
    """A function was called with tensors on the CPU and on the GPU."""


class _Placement(TorchFunctionMode):
    """Knows which memory is on the GPU."""

    def __init__(self) -> None:
        super().__init__()
        # The storages are kept, so that no address is used twice.
        self._on_gpu: dict[int, torch.UntypedStorage] = {}
        self._answers: Mapping[Any, Callable[[Tensor], object]] = {
            Tensor.device.__get__: lambda tensor: GPU if self._has(tensor) else tensor.device,
            Tensor.is_cuda.__get__: self._has,  # type: ignore[attr-defined]
            Tensor.is_cpu.__get__: lambda tensor: not self._has(tensor),  # type: ignore[attr-defined]
            Tensor.get_device: lambda tensor: 0 if self._has(tensor) else -1,
        }

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`; note where its results are."""
        del types
        kwargs = dict(kwargs or {})
        if func in self._answers:
            return self._answers[func](args[0])
        if func is Tensor.register_hook:
            return func(args[0], self._placed(args[1], self._has(args[0])))
        given = list(_tensors((args, kwargs)))
        if func in _NO_NUMPY and self._has(given[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")
        if func not in _TAKE_BOTH:
            self._refuse_mixed(func, args, given)
        target, args, kwargs = self._target(func, args, kwargs)
        if func is Tensor.cuda or func is Tensor.cpu:
            func, args, kwargs = Tensor.to, (args[0], _CPU), {}
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and target is not None and target != self._has(result):
            if any(_address(result) == _address(each) for each in given):
                result = result.clone()  # the other device has memory of its own
        elif target is None:
            # In a list, torch.tensor() takes the numbers only.
            target = any(map(self._has, given)) and (func is not torch.tensor or args[0] in given)
        if target and func not in _TAKE_BOTH - _TO_OTHER:
            self._add(_tensors(result))
        return result

    def _placed(self, hook: Callable[[Tensor], object], on_gpu: bool) -> Callable[[Tensor], object]:
        """A hook for a gradient: it runs within a function of torch, where the mode is off."""

        def placed(gradient: Tensor) -> object:
            if on_gpu:
                self._add(_tensors(gradient))
            with self:
                return hook(gradient)

        return placed

    def _target(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[bool | None, tuple[Any, ...], dict[str, Any]]:
        """Whether a call names the GPU (None: no device), and its arguments with the CPU."""
        if func is Tensor.cuda or func is Tensor.cpu:
            return func is Tensor.cuda, args, kwargs
        if func in _TO_OTHER:
            other = args[1] if len(args) > 1 else kwargs.get("other")
            if isinstance(other, Tensor):
                return self._has(other), args, kwargs
            if isinstance(other, (torch.device, str, int)):
                return _is_gpu(other), (args[0], _CPU, *args[2:]), kwargs
        if kwargs.get("device") is not None:
            return _is_gpu(kwargs["device"]), args, {**kwargs, "device": _CPU}
        return None, args, kwargs

    def _refuse_mixed(self, func: Any, args: tuple[Any, ...], given: Sequence[Tensor]) -> None:
        """Raise where torch would.

        A tensor without dimensions is taken from the CPU, and so are indices.

        Raises:
            MixedDevices: the call combines tensors of both devices.
        """
        if func is Tensor.__setitem__ and isinstance(args[2], Tensor):
            indices = list(_tensors(args[1]))
            if not indices:
                return  # a copy
            given = [args[0], args[2]] if self._has(args[0]) else given
        elif func is Tensor.__getitem__ and self._has(args[0]):
            return
        there = [each for each in given if self._has(each)]
        if func is Tensor.__getitem__:
            there = [each for each in there if each.dim() > 0]
        if there and any(
            each.dim() > 0 and _address(each) and not self._has(each) for each in given
        ):
            raise MixedDevices(
                "Expected all tensors to be on the same device, but found at least two devices, "
                "cuda:0 and cpu!"
            )

    def _has(self, tensor: Tensor) -> bool:
        return _address(tensor) in self._on_gpu

    def _add(self, tensors: Iterator[Tensor]) -> None:
        for tensor in tensors:
            address = _address(tensor)
            if address:
                self._on_gpu[address] = _plain(tensor).untyped_storage()


def _tensors(value: object) -> Iterator[Tensor]:
    """The tensors in arguments or results, in nested tuples, lists and dictionaries too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def _address(tensor: Tensor) -> int:
    """Where a tensor's memory begins; 0 for one that has none and so may be anywhere."""
    try:
        return _plain(tensor).untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # sparse, for instance
        return 0


def _plain(tensor: Tensor) -> Tensor:
    """The tensor itself where torch.func's `grad` and `vmap` have wrapped it."""
    functorch = getattr(torch._C, "_functorch", None)  # internal, so it may disappear
    while functorch is not None and functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


def _is_gpu(device: torch.device | str | int) -> bool:
    return torch.device(device).type == "cuda"


@contextlib.contextmanager
def simulated_gpu() -> Iterator[None]:
    """Let code find a GPU, and refuse to combine its tensors with those on the CPU.

    Compilers would run code where the mode does not see it, so they are switched off. Everything is
    restored: a student's own pytest continues with other checks in this process.
    """
    kept = torch.cuda.is_available, torch.compile, torch.jit.script
    torch.cuda.is_available = lambda: True
    torch.compile = torch.jit.script = run_eagerly  # type: ignore[assignment]
    try:
        with _Placement():
            yield
    finally:
        torch.cuda.is_available, torch.compile, torch.jit.script = kept
