from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_TYPE_UNSPECIFIED: _ClassVar[DataType]
    DATA_TYPE_UINT8: _ClassVar[DataType]
    DATA_TYPE_FLOAT32: _ClassVar[DataType]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_INTERACTIVE: _ClassVar[Priority]
    PRIORITY_BULK: _ClassVar[Priority]

class CertificateStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CERTIFICATE_STATUS_UNSPECIFIED: _ClassVar[CertificateStatus]
    CERTIFICATE_STATUS_CERTIFIED: _ClassVar[CertificateStatus]
    CERTIFICATE_STATUS_ABSTAINED: _ClassVar[CertificateStatus]
    CERTIFICATE_STATUS_UNAVAILABLE: _ClassVar[CertificateStatus]

class Norm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NORM_UNSPECIFIED: _ClassVar[Norm]
    NORM_L1: _ClassVar[Norm]
    NORM_L2: _ClassVar[Norm]
    NORM_LINF: _ClassVar[Norm]

class CertificateMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CERTIFICATE_METHOD_UNSPECIFIED: _ClassVar[CertificateMethod]
    CERTIFICATE_METHOD_THEOREM1: _ClassVar[CertificateMethod]
    CERTIFICATE_METHOD_LOGIT_LIPSCHITZ: _ClassVar[CertificateMethod]
    CERTIFICATE_METHOD_THEOREM2: _ClassVar[CertificateMethod]
    CERTIFICATE_METHOD_TIGHT: _ClassVar[CertificateMethod]

class CertificateBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CERTIFICATE_BASIS_UNSPECIFIED: _ClassVar[CertificateBasis]
    CERTIFICATE_BASIS_PROVEN: _ClassVar[CertificateBasis]
    CERTIFICATE_BASIS_CLAIMED: _ClassVar[CertificateBasis]

class BoundMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOUND_METHOD_UNSPECIFIED: _ClassVar[BoundMethod]
    BOUND_METHOD_ANYTIME: _ClassVar[BoundMethod]
    BOUND_METHOD_CLOPPER_PEARSON: _ClassVar[BoundMethod]

class StopReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STOP_REASON_UNSPECIFIED: _ClassVar[StopReason]
    STOP_REASON_TARGET_REACHED: _ClassVar[StopReason]
    STOP_REASON_TARGET_OUT_OF_REACH: _ClassVar[StopReason]
    STOP_REASON_VOTE_BUDGET: _ClassVar[StopReason]
    STOP_REASON_DEADLINE: _ClassVar[StopReason]
    STOP_REASON_NOT_SAMPLED: _ClassVar[StopReason]
    STOP_REASON_CLASS_SETTLED: _ClassVar[StopReason]

class AbstentionReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ABSTENTION_REASON_UNSPECIFIED: _ClassVar[AbstentionReason]
    ABSTENTION_REASON_ROBUST_MODEL_UNSURE: _ClassVar[AbstentionReason]
    ABSTENTION_REASON_TOO_FEW_VOTES: _ClassVar[AbstentionReason]
    ABSTENTION_REASON_DEADLINE: _ClassVar[AbstentionReason]
    ABSTENTION_REASON_SNAPPING_LOSS: _ClassVar[AbstentionReason]

class ClassSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLASS_SOURCE_UNSPECIFIED: _ClassVar[ClassSource]
    CLASS_SOURCE_CERTIFICATE: _ClassVar[ClassSource]
    CLASS_SOURCE_MIXTURE: _ClassVar[ClassSource]
    CLASS_SOURCE_STANDARD_MODEL: _ClassVar[ClassSource]

class OutputKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTPUT_KIND_UNSPECIFIED: _ClassVar[OutputKind]
    OUTPUT_KIND_LOGITS: _ClassVar[OutputKind]
    OUTPUT_KIND_PROBABILITIES: _ClassVar[OutputKind]
DATA_TYPE_UNSPECIFIED: DataType
DATA_TYPE_UINT8: DataType
DATA_TYPE_FLOAT32: DataType
PRIORITY_UNSPECIFIED: Priority
PRIORITY_INTERACTIVE: Priority
PRIORITY_BULK: Priority
CERTIFICATE_STATUS_UNSPECIFIED: CertificateStatus
CERTIFICATE_STATUS_CERTIFIED: CertificateStatus
CERTIFICATE_STATUS_ABSTAINED: CertificateStatus
CERTIFICATE_STATUS_UNAVAILABLE: CertificateStatus
NORM_UNSPECIFIED: Norm
NORM_L1: Norm
NORM_L2: Norm
NORM_LINF: Norm
CERTIFICATE_METHOD_UNSPECIFIED: CertificateMethod
CERTIFICATE_METHOD_THEOREM1: CertificateMethod
CERTIFICATE_METHOD_LOGIT_LIPSCHITZ: CertificateMethod
CERTIFICATE_METHOD_THEOREM2: CertificateMethod
CERTIFICATE_METHOD_TIGHT: CertificateMethod
CERTIFICATE_BASIS_UNSPECIFIED: CertificateBasis
CERTIFICATE_BASIS_PROVEN: CertificateBasis
CERTIFICATE_BASIS_CLAIMED: CertificateBasis
BOUND_METHOD_UNSPECIFIED: BoundMethod
BOUND_METHOD_ANYTIME: BoundMethod
BOUND_METHOD_CLOPPER_PEARSON: BoundMethod
STOP_REASON_UNSPECIFIED: StopReason
STOP_REASON_TARGET_REACHED: StopReason
STOP_REASON_TARGET_OUT_OF_REACH: StopReason
STOP_REASON_VOTE_BUDGET: StopReason
STOP_REASON_DEADLINE: StopReason
STOP_REASON_NOT_SAMPLED: StopReason
STOP_REASON_CLASS_SETTLED: StopReason
ABSTENTION_REASON_UNSPECIFIED: AbstentionReason
ABSTENTION_REASON_ROBUST_MODEL_UNSURE: AbstentionReason
ABSTENTION_REASON_TOO_FEW_VOTES: AbstentionReason
ABSTENTION_REASON_DEADLINE: AbstentionReason
ABSTENTION_REASON_SNAPPING_LOSS: AbstentionReason
CLASS_SOURCE_UNSPECIFIED: ClassSource
CLASS_SOURCE_CERTIFICATE: ClassSource
CLASS_SOURCE_MIXTURE: ClassSource
CLASS_SOURCE_STANDARD_MODEL: ClassSource
OUTPUT_KIND_UNSPECIFIED: OutputKind
OUTPUT_KIND_LOGITS: OutputKind
OUTPUT_KIND_PROBABILITIES: OutputKind

class Tensor(_message.Message):
    __slots__ = ("dtype", "shape", "data")
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    dtype: DataType
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    def __init__(self, dtype: _Optional[_Union[DataType, str]] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Certificate(_message.Message):
    __slots__ = ("status", "radius", "norm", "method", "reason", "failure_probability", "bound", "votes", "votes_for_class", "votes_for_runner_up", "selection_votes", "lower_bound", "upper_bound", "stop_reason", "noise_key", "radius_sq_levels", "two_sided", "target_radius", "snapping_loss", "sigma", "total_variation", "caveat", "votes_drawn", "batch_size", "basis", "whole_range", "abstention_reason", "requested_target_radius", "largest_possible_radius")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RADIUS_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILURE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    VOTES_FOR_CLASS_FIELD_NUMBER: _ClassVar[int]
    VOTES_FOR_RUNNER_UP_FIELD_NUMBER: _ClassVar[int]
    SELECTION_VOTES_FIELD_NUMBER: _ClassVar[int]
    LOWER_BOUND_FIELD_NUMBER: _ClassVar[int]
    UPPER_BOUND_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    NOISE_KEY_FIELD_NUMBER: _ClassVar[int]
    RADIUS_SQ_LEVELS_FIELD_NUMBER: _ClassVar[int]
    TWO_SIDED_FIELD_NUMBER: _ClassVar[int]
    TARGET_RADIUS_FIELD_NUMBER: _ClassVar[int]
    SNAPPING_LOSS_FIELD_NUMBER: _ClassVar[int]
    SIGMA_FIELD_NUMBER: _ClassVar[int]
    TOTAL_VARIATION_FIELD_NUMBER: _ClassVar[int]
    CAVEAT_FIELD_NUMBER: _ClassVar[int]
    VOTES_DRAWN_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    WHOLE_RANGE_FIELD_NUMBER: _ClassVar[int]
    ABSTENTION_REASON_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_TARGET_RADIUS_FIELD_NUMBER: _ClassVar[int]
    LARGEST_POSSIBLE_RADIUS_FIELD_NUMBER: _ClassVar[int]
    status: CertificateStatus
    radius: float
    norm: Norm
    method: CertificateMethod
    reason: str
    failure_probability: float
    bound: BoundMethod
    votes: int
    votes_for_class: int
    votes_for_runner_up: int
    selection_votes: int
    lower_bound: float
    upper_bound: float
    stop_reason: StopReason
    noise_key: bytes
    radius_sq_levels: int
    two_sided: bool
    target_radius: float
    snapping_loss: float
    sigma: float
    total_variation: float
    caveat: str
    votes_drawn: int
    batch_size: int
    basis: CertificateBasis
    whole_range: bool
    abstention_reason: AbstentionReason
    requested_target_radius: float
    largest_possible_radius: float
    def __init__(self, status: _Optional[_Union[CertificateStatus, str]] = ..., radius: _Optional[float] = ..., norm: _Optional[_Union[Norm, str]] = ..., method: _Optional[_Union[CertificateMethod, str]] = ..., reason: _Optional[str] = ..., failure_probability: _Optional[float] = ..., bound: _Optional[_Union[BoundMethod, str]] = ..., votes: _Optional[int] = ..., votes_for_class: _Optional[int] = ..., votes_for_runner_up: _Optional[int] = ..., selection_votes: _Optional[int] = ..., lower_bound: _Optional[float] = ..., upper_bound: _Optional[float] = ..., stop_reason: _Optional[_Union[StopReason, str]] = ..., noise_key: _Optional[bytes] = ..., radius_sq_levels: _Optional[int] = ..., two_sided: bool = ..., target_radius: _Optional[float] = ..., snapping_loss: _Optional[float] = ..., sigma: _Optional[float] = ..., total_variation: _Optional[float] = ..., caveat: _Optional[str] = ..., votes_drawn: _Optional[int] = ..., batch_size: _Optional[int] = ..., basis: _Optional[_Union[CertificateBasis, str]] = ..., whole_range: bool = ..., abstention_reason: _Optional[_Union[AbstentionReason, str]] = ..., requested_target_radius: _Optional[float] = ..., largest_possible_radius: _Optional[float] = ...) -> None: ...

class Prediction(_message.Message):
    __slots__ = ("class_index", "label", "mixed_logits", "certificate", "standard_probabilities", "robust_probabilities", "standard_class_index", "robust_class_index", "robust_weight", "class_source", "model_outputs")
    CLASS_INDEX_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MIXED_LOGITS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    ROBUST_PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    STANDARD_CLASS_INDEX_FIELD_NUMBER: _ClassVar[int]
    ROBUST_CLASS_INDEX_FIELD_NUMBER: _ClassVar[int]
    ROBUST_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CLASS_SOURCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    class_index: int
    label: str
    mixed_logits: _containers.RepeatedScalarFieldContainer[float]
    certificate: Certificate
    standard_probabilities: _containers.RepeatedScalarFieldContainer[float]
    robust_probabilities: _containers.RepeatedScalarFieldContainer[float]
    standard_class_index: int
    robust_class_index: int
    robust_weight: float
    class_source: ClassSource
    model_outputs: ModelOutputs
    def __init__(self, class_index: _Optional[int] = ..., label: _Optional[str] = ..., mixed_logits: _Optional[_Iterable[float]] = ..., certificate: _Optional[_Union[Certificate, _Mapping]] = ..., standard_probabilities: _Optional[_Iterable[float]] = ..., robust_probabilities: _Optional[_Iterable[float]] = ..., standard_class_index: _Optional[int] = ..., robust_class_index: _Optional[int] = ..., robust_weight: _Optional[float] = ..., class_source: _Optional[_Union[ClassSource, str]] = ..., model_outputs: _Optional[_Union[ModelOutputs, _Mapping]] = ...) -> None: ...

class ModelOutputs(_message.Message):
    __slots__ = ("standard", "robust", "votes")
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    ROBUST_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    standard: _containers.RepeatedScalarFieldContainer[float]
    robust: _containers.RepeatedScalarFieldContainer[float]
    votes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, standard: _Optional[_Iterable[float]] = ..., robust: _Optional[_Iterable[float]] = ..., votes: _Optional[_Iterable[int]] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("config_revision", "alpha", "standard_model_sha256", "robust_model_sha256", "server_version", "robust_temperature", "standard_batch_size", "robust_batch_size", "runtime_version", "processor", "fallback_alpha")
    CONFIG_REVISION_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    STANDARD_MODEL_SHA256_FIELD_NUMBER: _ClassVar[int]
    ROBUST_MODEL_SHA256_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROBUST_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    ROBUST_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROCESSOR_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ALPHA_FIELD_NUMBER: _ClassVar[int]
    config_revision: str
    alpha: float
    standard_model_sha256: str
    robust_model_sha256: str
    server_version: str
    robust_temperature: float
    standard_batch_size: int
    robust_batch_size: int
    runtime_version: str
    processor: str
    fallback_alpha: float
    def __init__(self, config_revision: _Optional[str] = ..., alpha: _Optional[float] = ..., standard_model_sha256: _Optional[str] = ..., robust_model_sha256: _Optional[str] = ..., server_version: _Optional[str] = ..., robust_temperature: _Optional[float] = ..., standard_batch_size: _Optional[int] = ..., robust_batch_size: _Optional[int] = ..., runtime_version: _Optional[str] = ..., processor: _Optional[str] = ..., fallback_alpha: _Optional[float] = ...) -> None: ...

class PredictRequest(_message.Message):
    __slots__ = ("inputs", "include_components", "priority")
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    inputs: Tensor
    include_components: bool
    priority: Priority
    def __init__(self, inputs: _Optional[_Union[Tensor, _Mapping]] = ..., include_components: bool = ..., priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("predictions", "provenance", "timings")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[Prediction]
    provenance: Provenance
    timings: Timings
    def __init__(self, predictions: _Optional[_Iterable[_Union[Prediction, _Mapping]]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue_us", "standard_model_us", "robust_model_us", "mixing_us", "total_us")
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    STANDARD_MODEL_US_FIELD_NUMBER: _ClassVar[int]
    ROBUST_MODEL_US_FIELD_NUMBER: _ClassVar[int]
    MIXING_US_FIELD_NUMBER: _ClassVar[int]
    TOTAL_US_FIELD_NUMBER: _ClassVar[int]
    queue_us: int
    standard_model_us: int
    robust_model_us: int
    mixing_us: int
    total_us: int
    def __init__(self, queue_us: _Optional[int] = ..., standard_model_us: _Optional[int] = ..., robust_model_us: _Optional[int] = ..., mixing_us: _Optional[int] = ..., total_us: _Optional[int] = ...) -> None: ...

class PredictStreamRequest(_message.Message):
    __slots__ = ("request", "timeout_us", "correlation_id")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_US_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    request: PredictRequest
    timeout_us: int
    correlation_id: int
    def __init__(self, request: _Optional[_Union[PredictRequest, _Mapping]] = ..., timeout_us: _Optional[int] = ..., correlation_id: _Optional[int] = ...) -> None: ...

class PredictStreamResponse(_message.Message):
    __slots__ = ("correlation_id", "response", "error")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    correlation_id: int
    response: PredictResponse
    error: RequestError
    def __init__(self, correlation_id: _Optional[int] = ..., response: _Optional[_Union[PredictResponse, _Mapping]] = ..., error: _Optional[_Union[RequestError, _Mapping]] = ...) -> None: ...

class RequestError(_message.Message):
    __slots__ = ("code", "message", "violations", "retry_after_ms")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    violations: _containers.RepeatedCompositeFieldContainer[FieldViolation]
    retry_after_ms: int
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., violations: _Optional[_Iterable[_Union[FieldViolation, _Mapping]]] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class FieldViolation(_message.Message):
    __slots__ = ("field", "description")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    field: str
    description: str
    def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class CertifyRequest(_message.Message):
    __slots__ = ("inputs", "include_components", "target_radius", "vote_budget", "failure_probability", "bound", "priority", "include_model_outputs")
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    TARGET_RADIUS_FIELD_NUMBER: _ClassVar[int]
    VOTE_BUDGET_FIELD_NUMBER: _ClassVar[int]
    FAILURE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_MODEL_OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    inputs: Tensor
    include_components: bool
    target_radius: float
    vote_budget: int
    failure_probability: float
    bound: BoundMethod
    priority: Priority
    include_model_outputs: bool
    def __init__(self, inputs: _Optional[_Union[Tensor, _Mapping]] = ..., include_components: bool = ..., target_radius: _Optional[float] = ..., vote_budget: _Optional[int] = ..., failure_probability: _Optional[float] = ..., bound: _Optional[_Union[BoundMethod, str]] = ..., priority: _Optional[_Union[Priority, str]] = ..., include_model_outputs: bool = ...) -> None: ...

class CertifyResponse(_message.Message):
    __slots__ = ("predictions", "provenance", "timings")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[Prediction]
    provenance: Provenance
    timings: Timings
    def __init__(self, predictions: _Optional[_Iterable[_Union[Prediction, _Mapping]]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class CertifyStreamResponse(_message.Message):
    __slots__ = ("prediction", "provenance", "final", "timings")
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    prediction: Prediction
    provenance: Provenance
    final: bool
    timings: Timings
    def __init__(self, prediction: _Optional[_Union[Prediction, _Mapping]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., final: bool = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class GetModelInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("name", "sha256", "provider", "provider_note", "guarantee", "guarantee_source", "sessions", "max_batch_size", "one_row_reason", "guarantee_basis", "guarantee_basis_reason", "output_kind", "guarantee_parameters")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_NOTE_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    ONE_ROW_REASON_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_BASIS_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_BASIS_REASON_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_KIND_FIELD_NUMBER: _ClassVar[int]
    GUARANTEE_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    sha256: str
    provider: str
    provider_note: str
    guarantee: str
    guarantee_source: str
    sessions: int
    max_batch_size: int
    one_row_reason: str
    guarantee_basis: CertificateBasis
    guarantee_basis_reason: str
    output_kind: OutputKind
    guarantee_parameters: Guarantee
    def __init__(self, name: _Optional[str] = ..., sha256: _Optional[str] = ..., provider: _Optional[str] = ..., provider_note: _Optional[str] = ..., guarantee: _Optional[str] = ..., guarantee_source: _Optional[str] = ..., sessions: _Optional[int] = ..., max_batch_size: _Optional[int] = ..., one_row_reason: _Optional[str] = ..., guarantee_basis: _Optional[_Union[CertificateBasis, str]] = ..., guarantee_basis_reason: _Optional[str] = ..., output_kind: _Optional[_Union[OutputKind, str]] = ..., guarantee_parameters: _Optional[_Union[Guarantee, _Mapping]] = ...) -> None: ...

class Guarantee(_message.Message):
    __slots__ = ("lipschitz_probabilities", "lipschitz_logits", "gaussian_smoothing")
    LIPSCHITZ_PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    LIPSCHITZ_LOGITS_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_SMOOTHING_FIELD_NUMBER: _ClassVar[int]
    lipschitz_probabilities: LipschitzProbabilities
    lipschitz_logits: LipschitzLogits
    gaussian_smoothing: GaussianSmoothing
    def __init__(self, lipschitz_probabilities: _Optional[_Union[LipschitzProbabilities, _Mapping]] = ..., lipschitz_logits: _Optional[_Union[LipschitzLogits, _Mapping]] = ..., gaussian_smoothing: _Optional[_Union[GaussianSmoothing, _Mapping]] = ...) -> None: ...

class LipschitzProbabilities(_message.Message):
    __slots__ = ("norm", "constants", "neighbourhood", "error_bound")
    NORM_FIELD_NUMBER: _ClassVar[int]
    CONSTANTS_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOURHOOD_FIELD_NUMBER: _ClassVar[int]
    ERROR_BOUND_FIELD_NUMBER: _ClassVar[int]
    norm: Norm
    constants: _containers.RepeatedScalarFieldContainer[float]
    neighbourhood: float
    error_bound: float
    def __init__(self, norm: _Optional[_Union[Norm, str]] = ..., constants: _Optional[_Iterable[float]] = ..., neighbourhood: _Optional[float] = ..., error_bound: _Optional[float] = ...) -> None: ...

class LipschitzLogits(_message.Message):
    __slots__ = ("norm", "constant", "vector_valued", "error_bound")
    NORM_FIELD_NUMBER: _ClassVar[int]
    CONSTANT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_VALUED_FIELD_NUMBER: _ClassVar[int]
    ERROR_BOUND_FIELD_NUMBER: _ClassVar[int]
    norm: Norm
    constant: float
    vector_valued: bool
    error_bound: float
    def __init__(self, norm: _Optional[_Union[Norm, str]] = ..., constant: _Optional[float] = ..., vector_valued: bool = ..., error_bound: _Optional[float] = ...) -> None: ...

class GaussianSmoothing(_message.Message):
    __slots__ = ("sigma", "levels", "total_variation")
    SIGMA_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_VARIATION_FIELD_NUMBER: _ClassVar[int]
    sigma: float
    levels: int
    total_variation: float
    def __init__(self, sigma: _Optional[float] = ..., levels: _Optional[int] = ..., total_variation: _Optional[float] = ...) -> None: ...

class InputInfo(_message.Message):
    __slots__ = ("name", "shape", "low", "high", "accepts_uint8", "grid_step")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    ACCEPTS_UINT8_FIELD_NUMBER: _ClassVar[int]
    GRID_STEP_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    low: float
    high: float
    accepts_uint8: bool
    grid_step: float
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., accepts_uint8: bool = ..., grid_step: _Optional[float] = ...) -> None: ...

class CertificationLimits(_message.Message):
    __slots__ = ("default_votes", "max_votes", "selection_votes", "failure_probability", "min_failure_probability", "predict_target_radius", "predict_votes", "bound", "interactive_votes", "predict_target_in_force", "largest_predict_target")
    DEFAULT_VOTES_FIELD_NUMBER: _ClassVar[int]
    MAX_VOTES_FIELD_NUMBER: _ClassVar[int]
    SELECTION_VOTES_FIELD_NUMBER: _ClassVar[int]
    FAILURE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MIN_FAILURE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PREDICT_TARGET_RADIUS_FIELD_NUMBER: _ClassVar[int]
    PREDICT_VOTES_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    INTERACTIVE_VOTES_FIELD_NUMBER: _ClassVar[int]
    PREDICT_TARGET_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    LARGEST_PREDICT_TARGET_FIELD_NUMBER: _ClassVar[int]
    default_votes: int
    max_votes: int
    selection_votes: int
    failure_probability: float
    min_failure_probability: float
    predict_target_radius: float
    predict_votes: int
    bound: BoundMethod
    interactive_votes: int
    predict_target_in_force: float
    largest_predict_target: float
    def __init__(self, default_votes: _Optional[int] = ..., max_votes: _Optional[int] = ..., selection_votes: _Optional[int] = ..., failure_probability: _Optional[float] = ..., min_failure_probability: _Optional[float] = ..., predict_target_radius: _Optional[float] = ..., predict_votes: _Optional[int] = ..., bound: _Optional[_Union[BoundMethod, str]] = ..., interactive_votes: _Optional[int] = ..., predict_target_in_force: _Optional[float] = ..., largest_predict_target: _Optional[float] = ...) -> None: ...

class ConfigStatus(_message.Message):
    __slots__ = ("file_sha256", "since_unix_ms", "target_alpha", "reloads", "failed_reloads", "pending_error", "target_fallback_alpha", "access_reloads", "failed_access_reloads", "access_pending_error", "overridden_keys")
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    SINCE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    TARGET_ALPHA_FIELD_NUMBER: _ClassVar[int]
    RELOADS_FIELD_NUMBER: _ClassVar[int]
    FAILED_RELOADS_FIELD_NUMBER: _ClassVar[int]
    PENDING_ERROR_FIELD_NUMBER: _ClassVar[int]
    TARGET_FALLBACK_ALPHA_FIELD_NUMBER: _ClassVar[int]
    ACCESS_RELOADS_FIELD_NUMBER: _ClassVar[int]
    FAILED_ACCESS_RELOADS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_PENDING_ERROR_FIELD_NUMBER: _ClassVar[int]
    OVERRIDDEN_KEYS_FIELD_NUMBER: _ClassVar[int]
    file_sha256: str
    since_unix_ms: int
    target_alpha: float
    reloads: int
    failed_reloads: int
    pending_error: PendingError
    target_fallback_alpha: float
    access_reloads: int
    failed_access_reloads: int
    access_pending_error: PendingError
    overridden_keys: _containers.RepeatedCompositeFieldContainer[OverriddenKey]
    def __init__(self, file_sha256: _Optional[str] = ..., since_unix_ms: _Optional[int] = ..., target_alpha: _Optional[float] = ..., reloads: _Optional[int] = ..., failed_reloads: _Optional[int] = ..., pending_error: _Optional[_Union[PendingError, _Mapping]] = ..., target_fallback_alpha: _Optional[float] = ..., access_reloads: _Optional[int] = ..., failed_access_reloads: _Optional[int] = ..., access_pending_error: _Optional[_Union[PendingError, _Mapping]] = ..., overridden_keys: _Optional[_Iterable[_Union[OverriddenKey, _Mapping]]] = ...) -> None: ...

class OverriddenKey(_message.Message):
    __slots__ = ("key", "variable")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VARIABLE_FIELD_NUMBER: _ClassVar[int]
    key: str
    variable: str
    def __init__(self, key: _Optional[str] = ..., variable: _Optional[str] = ...) -> None: ...

class PendingError(_message.Message):
    __slots__ = ("file_sha256", "since_unix_ms", "violations")
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    SINCE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    file_sha256: str
    since_unix_ms: int
    violations: _containers.RepeatedCompositeFieldContainer[FieldViolation]
    def __init__(self, file_sha256: _Optional[str] = ..., since_unix_ms: _Optional[int] = ..., violations: _Optional[_Iterable[_Union[FieldViolation, _Mapping]]] = ...) -> None: ...

class GetModelInfoResponse(_message.Message):
    __slots__ = ("provenance", "standard", "robust", "labels", "input", "norm", "method", "unavailable_reason", "certification", "max_inputs", "max_message_bytes", "largest_possible_radius", "config", "caveat", "smoothing_method")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_FIELD_NUMBER: _ClassVar[int]
    ROBUST_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATION_FIELD_NUMBER: _ClassVar[int]
    MAX_INPUTS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    LARGEST_POSSIBLE_RADIUS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CAVEAT_FIELD_NUMBER: _ClassVar[int]
    SMOOTHING_METHOD_FIELD_NUMBER: _ClassVar[int]
    provenance: Provenance
    standard: ModelInfo
    robust: ModelInfo
    labels: _containers.RepeatedScalarFieldContainer[str]
    input: InputInfo
    norm: Norm
    method: CertificateMethod
    unavailable_reason: str
    certification: CertificationLimits
    max_inputs: int
    max_message_bytes: int
    largest_possible_radius: float
    config: ConfigStatus
    caveat: str
    smoothing_method: CertificateMethod
    def __init__(self, provenance: _Optional[_Union[Provenance, _Mapping]] = ..., standard: _Optional[_Union[ModelInfo, _Mapping]] = ..., robust: _Optional[_Union[ModelInfo, _Mapping]] = ..., labels: _Optional[_Iterable[str]] = ..., input: _Optional[_Union[InputInfo, _Mapping]] = ..., norm: _Optional[_Union[Norm, str]] = ..., method: _Optional[_Union[CertificateMethod, str]] = ..., unavailable_reason: _Optional[str] = ..., certification: _Optional[_Union[CertificationLimits, _Mapping]] = ..., max_inputs: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., largest_possible_radius: _Optional[float] = ..., config: _Optional[_Union[ConfigStatus, _Mapping]] = ..., caveat: _Optional[str] = ..., smoothing_method: _Optional[_Union[CertificateMethod, str]] = ...) -> None: ...

class GetShadowReportRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ShadowRow(_message.Message):
    __slots__ = ("alpha", "inputs", "agreements", "standard_agreements", "certified", "gained", "lost", "unfinished", "open", "likely", "votes", "radii", "radius_sum", "robust_temperature", "fallback_alpha", "predict_target_in_force")
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    AGREEMENTS_FIELD_NUMBER: _ClassVar[int]
    STANDARD_AGREEMENTS_FIELD_NUMBER: _ClassVar[int]
    CERTIFIED_FIELD_NUMBER: _ClassVar[int]
    GAINED_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    UNFINISHED_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    LIKELY_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    RADII_FIELD_NUMBER: _ClassVar[int]
    RADIUS_SUM_FIELD_NUMBER: _ClassVar[int]
    ROBUST_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ALPHA_FIELD_NUMBER: _ClassVar[int]
    PREDICT_TARGET_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    alpha: float
    inputs: int
    agreements: int
    standard_agreements: int
    certified: int
    gained: int
    lost: int
    unfinished: int
    open: int
    likely: int
    votes: int
    radii: _containers.RepeatedScalarFieldContainer[int]
    radius_sum: float
    robust_temperature: float
    fallback_alpha: float
    predict_target_in_force: float
    def __init__(self, alpha: _Optional[float] = ..., inputs: _Optional[int] = ..., agreements: _Optional[int] = ..., standard_agreements: _Optional[int] = ..., certified: _Optional[int] = ..., gained: _Optional[int] = ..., lost: _Optional[int] = ..., unfinished: _Optional[int] = ..., open: _Optional[int] = ..., likely: _Optional[int] = ..., votes: _Optional[int] = ..., radii: _Optional[_Iterable[int]] = ..., radius_sum: _Optional[float] = ..., robust_temperature: _Optional[float] = ..., fallback_alpha: _Optional[float] = ..., predict_target_in_force: _Optional[float] = ...) -> None: ...

class GetShadowReportResponse(_message.Message):
    __slots__ = ("provenance", "serving", "candidates", "since_unix_ms", "since_revision", "on_the_way", "dropped", "radius_bounds", "norm", "draws_votes")
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    SINCE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    SINCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    ON_THE_WAY_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    RADIUS_BOUNDS_FIELD_NUMBER: _ClassVar[int]
    NORM_FIELD_NUMBER: _ClassVar[int]
    DRAWS_VOTES_FIELD_NUMBER: _ClassVar[int]
    provenance: Provenance
    serving: ShadowRow
    candidates: _containers.RepeatedCompositeFieldContainer[ShadowRow]
    since_unix_ms: int
    since_revision: str
    on_the_way: bool
    dropped: int
    radius_bounds: _containers.RepeatedScalarFieldContainer[float]
    norm: Norm
    draws_votes: bool
    def __init__(self, provenance: _Optional[_Union[Provenance, _Mapping]] = ..., serving: _Optional[_Union[ShadowRow, _Mapping]] = ..., candidates: _Optional[_Iterable[_Union[ShadowRow, _Mapping]]] = ..., since_unix_ms: _Optional[int] = ..., since_revision: _Optional[str] = ..., on_the_way: bool = ..., dropped: _Optional[int] = ..., radius_bounds: _Optional[_Iterable[float]] = ..., norm: _Optional[_Union[Norm, str]] = ..., draws_votes: bool = ...) -> None: ...
