# SPDX-License-Identifier: Apache-2.0
"""From nominal costs to seconds: the formulas of docs/concepts/performance.md, and nothing else.

The fit in `benchmarks.throughput` calls the same functions with arrays in place of numbers, so there is no branch
and no function of `math` in them.
"""

from dataclasses import dataclass

from hubstack.planner.performance.costs import Costs

OVERLAP = 3.0
"""Exponent of the smooth maximum of two times that overlap: 1 adds them, infinity takes the longer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """Efficiencies (fractions of a nominal rate) and overheads (seconds) of one generation and engine."""

    memory: float
    matmul: float
    prompt_matmul: float
    cache: float
    expert_memory: float
    expert_matmul: float
    expert_prompt_matmul: float
    coverage: float
    """Fraction of tokens that choose experts independently; below 1, tokens tend to choose the same ones."""
    attention: float
    prompt_attention: float
    layer_s: float
    expert_layer_s: float
    latent_layer_s: float
    index_layer_s: float
    state_layer_s: float
    step_s: float
    sequence_s: float
    host_overlap: float
    """`OVERLAP` if a step is scheduled while the one before it runs, 1 if afterwards."""
    request_s: float
    interference: float
    """Fraction of other sequences' prompt time that delays decoding."""
    pass_weights: float
    pass_layers: float
    """Overhead of a prompt pass, which launches kernels one by one, in multiples of a step's layer overhead."""
    hop_s: float
    link: float
    factor: float
    """Correction factor for accelerator time with this generation and engine."""
    first_base_s: float
    first_prompt: float
    first_queue: float
    first_step: float


def longer_of(one: float, other: float, overlap: float = OVERLAP) -> float:
    """Return the time of two overlapping operations."""
    return (one**overlap + other**overlap) ** (1 / overlap)


def layers_seconds(costs: Costs, constants: Constants) -> float:
    """Return the overhead of a step's layers."""
    return (
        costs.layers * constants.layer_s
        + costs.expert_layers * constants.expert_layer_s
        + costs.latent_layers * constants.latent_layer_s
        + costs.index_layers * constants.index_layer_s
        + costs.state_layers * constants.state_layer_s
    )


def touched(costs: Costs, constants: Constants, tokens: float) -> float:
    """Return the fraction of the experts that this number of tokens activates."""
    return 1 - (1 - costs.expert_share) ** (constants.coverage * tokens)


def _matmul(efficiency: float, of_experts: float, costs: Costs) -> float:
    return efficiency * of_experts**costs.has_experts


def step_seconds(costs: Costs, constants: Constants) -> float:
    """Return the time of one decoding step, which gives every running sequence a token."""
    experts = costs.expert_s * touched(costs, constants, costs.tokens) / constants.expert_memory
    memory = (costs.dense_s + experts + costs.cache_s / constants.cache) / constants.memory
    compute = (
        costs.matmul_s / _matmul(constants.matmul, constants.expert_matmul, costs)
        + costs.attention_s / constants.attention
    )
    network = costs.hops * constants.hop_s + costs.link_s / constants.link
    device = longer_of(memory, compute) * constants.factor + layers_seconds(costs, constants) + network
    host = constants.step_s + costs.host_sequences * constants.sequence_s
    return longer_of(device, host, constants.host_overlap)


def prompt_seconds(costs: Costs, constants: Constants) -> float:
    """Return the accelerator time of one prompt."""
    experts = costs.expert_s * touched(costs, constants, costs.pass_tokens) / constants.expert_memory
    memory = costs.passes * constants.pass_weights * (costs.dense_s + experts) / constants.memory
    compute = costs.prompt_matmul_s / _matmul(constants.prompt_matmul, constants.expert_prompt_matmul, costs)
    kernels = costs.passes * constants.pass_layers * layers_seconds(costs, constants)
    attention = costs.prompt_attention_s / constants.prompt_attention
    network = costs.prompt_link_s / constants.link
    kernels += constants.request_s
    return (longer_of(memory, compute) + attention) * constants.factor + network + kernels


def token_seconds(costs: Costs, constants: Constants) -> float:
    """Return the time between two output tokens, including interruptions by other prompts."""
    others = (costs.batch - 1) * prompt_seconds(costs, constants) / costs.stages / costs.answer
    return step_seconds(costs, constants) + constants.interference * others


def tokens_per_second(costs: Costs, constants: Constants) -> float:
    """Return the output tokens per second of a batch that is always full."""
    prompts = costs.batch * prompt_seconds(costs, constants) / costs.stages
    return costs.batch * costs.answer / (costs.answer * step_seconds(costs, constants) + prompts)


def first_token_seconds(costs: Costs, constants: Constants) -> float:
    """Return the time to the first token in a closed loop of `batch` callers."""
    ahead = 1 + constants.first_queue * (costs.batch - 1) / 2
    prompt = constants.first_prompt * prompt_seconds(costs, constants) * ahead
    return constants.first_base_s + prompt + constants.first_step * step_seconds(costs, constants)
