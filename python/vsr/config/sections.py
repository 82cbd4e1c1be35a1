"""The sections of the configuration file as types; what a field means stands here, and in the schema made from it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, create_model, model_validator
from pydantic_core import PydanticKnownError

from vsr.errors import ConfigError
from vsr.providers import PROVIDERS
from vsr.selectors import registry
from vsr.selectors.parameters import parameters_of

# What the router calls its other ways to choose: valid in a file, nothing that can be trained here.
ROUTER_ALGORITHMS = (
    "automix",
    "confidence",
    "elo",
    "fusion",
    "gmtrouter",
    "hybrid",
    "latency_aware",
    "multi_factor",
    "prompt",
    "ratings",
    "remom",
    "rl_driven",
    "router_dc",
    "session_aware",
    "static",
    "workflows",
)


class Section(BaseModel):
    """A block of the file: fields that cannot be changed, and the names of fields that are only the router's."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    router_fields: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: object) -> object:
        """Take a key without a value (`headers:`) as one that is not there, unless null means something."""
        if not isinstance(values, dict):
            return values
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        kept = {}
        for key, value in values.items():
            field = fields.get(key)
            if value is not None or field is None or type(None) in get_args(field.annotation):
                kept[key] = value
        return kept


class ModelSelection(Section):
    """Where the artefacts lie and which embedding they are made with."""

    router_fields = frozenset(
        {"method", "default_algorithm", "ml", "elo", "router_dc", "automix", "hybrid", "rl_driven"}
    )

    enabled: bool = Field(True, description="false: Router.from_config answers with its default")
    models_path: str | None = Field(None, description="folder of the artefacts: default of --output-dir, --models-dir")
    embedding_dim: Annotated[int, Field(ge=1)] | None = Field(None, description="default of --embedding-dim")
    embedding_model: str | None = Field(None, description="default of --embedding-model")
    embedding_path: str | None = Field(None, description="default of --embedding-path")


def _known_provider(name: str) -> str:
    if name not in PROVIDERS:
        *others, last = map(repr, PROVIDERS)
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(others)} or {last}"})
    return name


class Endpoint(Section):
    """A server that answers for one or more models."""

    router_fields = frozenset({"models", "health_check_path", "provider_profile", "protocol", "model"})

    name: Annotated[str, Field(min_length=1)] = Field(description="referred to by preferred_endpoints")
    address: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="host name, IP address or URL; by default the public host of the type, if any"
    )
    port: Annotated[int, Field(ge=1, le=65535)] | None = Field(None, description="the scheme is https for port 443")
    type: Annotated[str, AfterValidator(_known_provider)] = Field(
        "vllm",
        description="which protocol the server speaks",
        json_schema_extra=lambda schema: schema.update(enum=[*PROVIDERS]),
    )
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        1.0, description="share of the calls of models that name no endpoint"
    )
    api_key: SecretStr | None = Field(None, description="write ${VARIABLE}, not the key itself")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="sent with every request")
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        300.0, description="seconds that a whole answer may take"
    )
    max_concurrency: Annotated[int, Field(ge=1)] | None = Field(None, description="requests at a time to this endpoint")
    max_response_mib: Annotated[float, Field(gt=0, le=1024)] = Field(
        8.0, description="most MiB of an answer, decompressed"
    )
    ca_file: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="PEM file of the certificates that are trusted here; by default the usual authorities"
    )


class Pricing(Section):
    """What tokens cost, in US dollars."""

    router_fields = frozenset({"cached_input_per_1m", "cache_write_per_1m"})

    prompt_per_1m: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(0.0, description="USD per million tokens")
    completion_per_1m: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="USD per million tokens"
    )
    cached_prompt_per_1m: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="USD per million tokens of a prompt that the server has in its cache"
    )
    currency: Literal["USD"] = Field("USD", description="costs are compared in US dollars alone")


class ModelEntry(Section):
    """An LLM: where it answers, under which name, with which settings."""

    router_fields = frozenset(
        {
            "access_key_env",
            "allowed_thinking_modes",
            "api_format",
            "backend_refs",
            "batch_size",
            "context_size",
            "description",
            "image_gen_backend",
            "loras",
            "modality",
            "param_count",
            "param_size",
            "pii_policy",
            "quality_score",
            "reasoning_description",
            "reasoning_effort",
            "reasoning_family",
            "tags",
        }
    )

    preferred_endpoints: tuple[str, ...] = Field((), description="tried in this order; none: all that it has an id for")
    external_model_ids: dict[str, str] = Field(
        default_factory=dict, description="the model's name at an endpoint, by the endpoint's name or its type"
    )
    access_key: SecretStr | None = Field(None, description="goes before the endpoint's api_key; write ${VARIABLE}")
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(1024, description="longest answer; null: the server's limit")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        0.0, description="null: the server's default"
    )
    pricing: Pricing | None = Field(None, description="what its tokens cost")
    capabilities: tuple[str, ...] = Field(
        (), description="what it can do beyond text, for example vision or tools; limits of requests ask for it"
    )
    context_tokens: Annotated[int, Field(ge=1)] | None = Field(
        None, description="how much it can read; limits of requests ask for it"
    )
    context_window_size: Annotated[int, Field(ge=1)] | None = Field(None, description="the same, as the router says it")
    family: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="who made it, for example llama: judges of one family may favour each other"
    )


class Judge(Section):
    """An LLM that says what responses of others are worth."""

    model: Annotated[str, Field(min_length=1)] = Field(
        description="a name from model_config: where and how it is asked"
    )
    family: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="who made it; by default the family of the model"
    )


# What the router's documentation shows in the blocks of the trained algorithms, beside their parameters.
_ARTEFACT_FIELDS = frozenset({"pretrained_path", "device", "efficiency_weight"})


class _Algorithm(Section):
    """How a decision chooses among its models."""

    router_fields = frozenset(ROUTER_ALGORITHMS) | {"on_error"}

    type: str = Field(description="an algorithm that is trained here, or one of the router's own")

    @property
    def is_trained(self) -> bool:
        """Whether this algorithm is one that learns from records."""
        return self.type in registry.names()

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters that the file gives for this algorithm, by name."""
        block: Section | None = getattr(self, self.type, None) if self.is_trained else None
        return {} if block is None else block.model_dump(exclude_unset=True, exclude_none=True)


def _block(name: str) -> type[Section]:
    """Make the section of one algorithm from its parameters; a block may leave out any of them."""
    model = registry.algorithm(name).parameters_model
    fields: dict[str, Any] = {
        parameter.name: (
            parameter.annotation | None,
            Field(None, description=parameter.help),
        )
        for parameter in parameters_of(name, model)
    }
    block = create_model(model.__name__, __base__=Section, __doc__=f"Parameters of `{name}`.", **fields)
    block.router_fields = _ARTEFACT_FIELDS
    return block


if TYPE_CHECKING:
    Algorithm = _Algorithm
else:
    Algorithm = create_model(
        "Algorithm",
        __base__=_Algorithm,
        __doc__=_Algorithm.__doc__,
        **{name: (_block(name) | None, None) for name in registry.names()},
    )


class Condition(Section):
    """What a rule looks at: one signal, or a group of conditions."""

    router_fields = frozenset(
        {"value", "min_confidence", "threshold", "model", "keywords", "candidates", "case_sensitive"}
    )

    type: str | None = Field(None, description="the signal, for example domain")
    name: str | None = Field(None, description="of the signal: a category where the type is domain")
    operator: Literal["AND", "OR", "NOT"] | None = Field(None, description="joins nested conditions")
    conditions: tuple["Condition", ...] = Field((), description="nested conditions")


class Rules(Condition):
    """When a decision applies: one condition, or several that are joined, by OR where nothing is said."""

    router_fields = Condition.router_fields | {"on_error", "on_unknown"}


class ModelReference(Section):
    """A model on offer in a decision."""

    router_fields = frozenset(
        {"reasoning_description", "reasoning_effort", "reasoning_family", "reasoning_mode", "weight", "score"}
    )

    model: Annotated[str, Field(min_length=1)] = Field(description="a name from model_config")
    use_reasoning: bool | None = Field(None, description="whether the model is asked to think first")
    lora_name: Annotated[str, Field(min_length=1)] | None = Field(None, description="the adapter that is asked for")

    @property
    def asked_name(self) -> str:
        """The name in records and artefacts: the adapter's where there is one, else the model's."""
        return self.lora_name or self.model


class Decision(Section):
    """A rule and the models that it offers."""

    router_fields = frozenset(
        {"plugins", "modelSelectionAlgorithm", "tier", "adaptations", "emits", "tool_scope", "output_contract"}
    )

    name: Annotated[str, Field(min_length=1)] = Field(description="shown in reports and errors")
    description: str | None = Field(None, description="for people")
    priority: float = Field(0, description="the highest that applies wins")
    rules: Rules | None = Field(None, description="when the decision applies")
    algorithm: Algorithm | None = Field(None, description="how one of the models is chosen")
    model_refs: tuple[ModelReference, ...] = Field((), alias="modelRefs", description="the models on offer")

    @property
    def needs_training(self) -> bool:
        """Whether the decision chooses between several models by an algorithm that is trained."""
        is_trained = self.algorithm is None or self.algorithm.is_trained
        return is_trained and len({reference.asked_name for reference in self.model_refs}) > 1


class RouterConfig(Section):
    """The configuration file: the sections that are read here; all others are the router's and left alone."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, title="vsr-train configuration", protected_namespaces=()
    )

    model_selection: ModelSelection = Field(default_factory=lambda: ModelSelection.model_validate({}))
    vllm_endpoints: tuple[Endpoint, ...] = Field((), description="the servers, providers mixed as you like")
    models: dict[str, ModelEntry] = Field(default_factory=dict, alias="model_config", description="the LLMs by name")
    decisions: tuple[Decision, ...] = Field((), description="which models are on offer for what")
    default_model: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="the model that answers where no decision applies"
    )
    judges: tuple[Judge, ...] = Field((), description="the LLMs that `vsr-train judge` asks what responses are worth")

    path: Path | None = Field(None, exclude=True, json_schema_extra={"internal": True})
    warnings: tuple[str, ...] = Field((), exclude=True, json_schema_extra={"internal": True})

    def offered_models(self) -> tuple[str, ...]:
        """Name the models to ask and to train on, each once, in the order of the file.

        Returns:
            The union of the decisions' references (an adapter's name stands for its model); without decisions, every
            model of `model_config` that is no judge.
        """
        if not self.decisions:
            judges = {judge.model for judge in self.judges}
            return tuple(name for name in self.models if name not in judges)
        references = (reference for decision in self.decisions for reference in decision.model_refs)
        return tuple(dict.fromkeys(reference.asked_name for reference in references))

    def family_of(self, model: str) -> str | None:
        """Say who made a model, as far as the file says so; an adapter's is that of its model."""
        if model in self.models:
            return self.models[model].family
        references = (reference for decision in self.decisions for reference in decision.model_refs)
        return next((self.models[each.model].family for each in references if each.asked_name == model), None)

    def algorithm_parameters(self) -> dict[str, dict[str, object]]:
        """Join what the decisions say of each algorithm's parameters.

        Returns:
            Parameters by algorithm; algorithms without any are absent.

        Raises:
            ConfigError: Two decisions give one parameter of one algorithm different values.
        """
        joined: dict[str, dict[str, object]] = {}
        given_by: dict[tuple[str, str], str] = {}
        for decision in self.decisions:
            if decision.algorithm is None:
                continue
            name = decision.algorithm.type
            for parameter, value in decision.algorithm.parameters.items():
                before = joined.setdefault(name, {}).setdefault(parameter, value)
                first = given_by.setdefault((name, parameter), decision.name)
                if before != value:
                    raise ConfigError(
                        f"{self.path or 'configuration'}: decisions '{first}' and '{decision.name}' want different "
                        f"{name} artefacts: {parameter} {before} and {value}. There is one artefact per algorithm: "
                        "give both the same value, or one of them another algorithm."
                    )
        return joined
