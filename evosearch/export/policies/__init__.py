"""Policies as source that stands alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evosearch.export.policies.info import PolicyInfo
from evosearch.export.policies.origin import policy_info
from evosearch.export.policies.torch import render_torch
from evosearch.export.policies.weights import safetensors
from evosearch.search.policies.member import Policy

__all__ = ["POLICY_TARGETS", "PolicyInfo", "policy_info", "safetensors"]

POLICY_TARGETS: Mapping[str, Callable[[Policy, PolicyInfo], str]] = MappingProxyType({"torch": render_torch})
