"""Which model is asked where, under which name, with which key: the configuration, worked out for every model."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from vsr.asking.connections import trusted
from vsr.config import Endpoint, ModelEntry, Pricing, RouterConfig
from vsr.config.servers import endpoints_of, is_public, server_url, shares_key
from vsr.errors import BenchmarkError
from vsr.providers import PROVIDERS, Provider
from vsr.providers.call import Answer, AnswerSchema, ChatRequest


@dataclass(frozen=True)
class Target:
    """One model at one endpoint.

    Attributes:
        model_name: the model's name in records.
        endpoint: the endpoint's name.
        provider: how it is asked.
        url: where requests go.
        model_id: the model's name there.
        headers: everything that is sent along, the key included; never shown.
        credential: tells keys apart without holding one: models that share it share the key.
        timeout_s: seconds that a whole answer may take.
        weight: share of the calls, where the model names no endpoint.
        largest_response: most bytes that an answer may have.
        ca_file: file of the certificates that are trusted here; None for the usual authorities.
    """

    model_name: str
    endpoint: str
    provider: Provider = field(repr=False)
    url: str
    model_id: str
    headers: Mapping[str, str] = field(repr=False)
    credential: str = field(repr=False)
    timeout_s: float = 300.0
    weight: float = 1.0
    largest_response: int = 8 << 20
    ca_file: str | None = None

    @property
    def host(self) -> str:
        """Host and port that answer."""
        return urlsplit(self.url).netloc.replace("localhost", "127.0.0.1")


@dataclass(frozen=True)
class AskedModel:
    """A model as it is asked, wherever that is.

    Attributes:
        name: its name in records: the adapter's where a decision names one.
        targets: where it can be asked; in order, or by weight.
        is_drawn: whether every target takes its share of the calls by weight; else the first one that is up takes all.
        max_tokens: longest answer.
        temperature: None leaves it to the server.
        use_reasoning: what the decisions say of it; None where they say nothing.
        pricing: what its tokens cost; None where nothing is said.
        answer_schema: the form that its answers have to have; None leaves it free.
    """

    name: str
    targets: tuple[Target, ...]
    is_drawn: bool
    max_tokens: int | None
    temperature: float | None
    use_reasoning: bool | None = None
    pricing: Pricing | None = None
    answer_schema: AnswerSchema | None = None

    def request(self, prompt: str, target: Target) -> ChatRequest:
        """Return the question as it goes to one of the targets."""
        return ChatRequest(
            target.model_id,
            prompt,
            self.max_tokens,
            self.temperature,
            self.use_reasoning,
            answer_schema=self.answer_schema,
        )

    def cost_usd(self, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """Return what so many tokens cost in USD; None without prices or without counts."""
        if self.pricing is None or input_tokens is None or output_tokens is None:
            return None
        return (input_tokens * self.pricing.prompt_per_1m + output_tokens * self.pricing.completion_per_1m) / 1_000_000

    @property
    def tells_cost(self) -> bool:
        """Whether the cost of an answer will be known: by prices, or because a provider states it."""
        return self.pricing is not None or any(target.provider.states_cost for target in self.targets)

    def cost_of(self, answer: Answer) -> float | None:
        """Return what an answer cost in USD: by the prices of the configuration, else as the provider says."""
        cost = self.cost_usd(answer.input_tokens, answer.output_tokens)
        return answer.cost_usd if cost is None else cost


@dataclass(frozen=True)
class AskedModels:
    """Everybody who is asked.

    Attributes:
        models: in the order of the configuration.
        limits: requests at a time by endpoint, where there is a limit.
        secrets: every key of the configuration, to be kept out of whatever is written.
        warnings: what may not be meant.
        without_key: endpoints of public services that get no key, and the variables that could hold it.
    """

    models: tuple[AskedModel, ...]
    limits: Mapping[str, int]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    without_key: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def asked_models(
    config: RouterConfig, environment: Mapping[str, str], only: Sequence[str] | None = None
) -> AskedModels:
    """Work out who is asked where.

    Args:
        config: the configuration.
        environment: the providers' own key variables are read from it.
        only: names from `model_config`, asked in the place of the models that the configuration offers.

    Raises:
        BenchmarkError: There is nobody to ask, a model has no endpoint, or a `ca_file` no certificates.
    """
    where = config.path or "configuration"
    if not config.vllm_endpoints:
        raise BenchmarkError(f"{where}: there is nobody to ask: vllm_endpoints is empty; name at least one endpoint.")
    for endpoint in config.vllm_endpoints:
        if endpoint.ca_file is not None:
            try:
                trusted(endpoint.ca_file)
            except OSError as error:
                raise BenchmarkError(f"{where}: endpoint '{endpoint.name}': {error}") from error
    warnings: list[str] = []
    without_key: dict[str, tuple[str, ...]] = {}
    references = _references(config, warnings)
    if only is not None:
        references = ((name, config.models[name], None, None) for name in only)
    models = [
        _asked_model(name, entry, lora, use_reasoning, config, environment, warnings, without_key)
        for name, entry, lora, use_reasoning in references
    ]
    if not models:
        raise BenchmarkError(f"{where}: there is nobody to ask: model_config is empty; name at least one model.")
    return AskedModels(
        tuple(models),
        {endpoint.name: endpoint.max_concurrency for endpoint in config.vllm_endpoints if endpoint.max_concurrency},
        _secrets(config, environment),
        tuple(dict.fromkeys(warnings)),
        without_key,
    )


def _references(config: RouterConfig, warnings: list[str]) -> Iterator[tuple[str, ModelEntry, str | None, bool | None]]:
    """Name every model once, with its adapter and its wish for reasoning, the decision of highest priority first."""
    if not config.decisions:
        for name in config.offered_models():
            yield name, config.models[name], None, None
        return
    wishes: dict[str, tuple[bool, str]] = {}
    for decision in sorted(config.decisions, key=lambda decision: -decision.priority):
        for reference in decision.model_refs:
            if reference.use_reasoning is None:
                continue
            wish, first = wishes.setdefault(reference.asked_name, (reference.use_reasoning, decision.name))
            if wish != reference.use_reasoning:
                warnings.append(
                    f"decisions '{first}' and '{decision.name}' disagree on use_reasoning of {reference.asked_name}: "
                    f"it is asked with {str(wish).lower()}, as '{first}' says"
                )
    references = {
        reference.asked_name: reference for decision in config.decisions for reference in reversed(decision.model_refs)
    }
    for name in config.offered_models():
        reference = references[name]
        wish_of = wishes.get(name)
        yield name, config.models[reference.model], reference.lora_name, None if wish_of is None else wish_of[0]


def _asked_model(
    name: str,
    entry: ModelEntry,
    lora: str | None,
    use_reasoning: bool | None,
    config: RouterConfig,
    environment: Mapping[str, str],
    warnings: list[str],
    without_key: dict[str, tuple[str, ...]],
) -> AskedModel:
    endpoints = _endpoints_of(name, entry, config)
    home = endpoints[0]
    targets = []
    for endpoint in endpoints:
        key = _key(entry, endpoint, home, environment)
        headers = {header: value.get_secret_value() for header, value in endpoint.headers.items()}
        if key is not None:
            headers = {header: value for header, value in headers.items() if header.lower() != "authorization"}
            headers["Authorization"] = f"Bearer {key}"
        elif is_public(endpoint) and not any(header.lower() == "authorization" for header in headers):
            without_key[endpoint.name] = variables = PROVIDERS[endpoint.type].key_variables
            warnings.append(
                f"endpoint '{endpoint.name}' has no key: set {' or '.join(variables)}, or api_key in the file"
            )
        if entry.access_key is not None and not shares_key(endpoint, home):
            warnings.append(
                f"the access_key of {name} is for {urlsplit(server_url(home)).hostname} alone: "
                f"endpoint '{endpoint.name}' is asked without it"
            )
        provider = PROVIDERS[endpoint.type]
        base_id = entry.external_model_ids.get(endpoint.name) or entry.external_model_ids.get(endpoint.type)
        targets.append(
            Target(
                model_name=name,
                endpoint=endpoint.name,
                provider=provider,
                url=provider.url(server_url(endpoint)),
                model_id=lora or base_id or name,
                headers={**provider.headers(), **headers},
                credential=hashlib.sha256((key or "").encode()).hexdigest()[:16],
                timeout_s=endpoint.timeout_s,
                weight=endpoint.weight,
                largest_response=int(endpoint.max_response_mib * (1 << 20)),
                ca_file=endpoint.ca_file,
            )
        )
    return AskedModel(
        name=name,
        targets=tuple(targets),
        is_drawn=not entry.preferred_endpoints,
        max_tokens=entry.max_tokens,
        temperature=entry.temperature,
        use_reasoning=use_reasoning,
        pricing=entry.pricing,
    )


def _endpoints_of(name: str, entry: ModelEntry, config: RouterConfig) -> Sequence[Endpoint]:
    found = endpoints_of(entry, config.vllm_endpoints)
    if found:
        return found
    names = ", ".join(endpoint.name for endpoint in config.vllm_endpoints)
    raise BenchmarkError(
        f"{config.path or 'configuration'}: nothing says where {name} is asked: give it preferred_endpoints, or "
        f"external_model_ids for one of {names}."
    )


def _key(entry: ModelEntry, endpoint: Endpoint, home: Endpoint, environment: Mapping[str, str]) -> str | None:
    """Return the key for one endpoint: the model's where it belongs there, the endpoint's, the provider's own."""
    given = []
    if entry.access_key is not None and shares_key(endpoint, home):
        given.append(entry.access_key.get_secret_value())
    if endpoint.api_key is not None:
        given.append(endpoint.api_key.get_secret_value())
    if is_public(endpoint):
        given += [environment.get(name, "") for name in PROVIDERS[endpoint.type].key_variables]
    # A key that was read from a file often ends with a line break, which no header may hold.
    return next((key.strip() for key in given if key.strip()), None)


def _secrets(config: RouterConfig, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return every key, and the value of every header: nobody can tell by its name which of them is one."""
    found = [entry.access_key for entry in config.models.values()]
    for endpoint in config.vllm_endpoints:
        found += [endpoint.api_key, *endpoint.headers.values()]
    texts = {secret.get_secret_value().strip() for secret in found if secret is not None}
    texts |= {environment.get(name, "").strip() for provider in PROVIDERS.values() for name in provider.key_variables}
    return tuple(sorted(texts - {""}))
