//! Everything that can go wrong in the core. Each group is one Python class; its variants are kinds of problems.
//!
//! Every message says what, where, what was expected and what to do.

use std::path::PathBuf;

use thiserror::Error;

/// An error of another library, for the variants that pass one on.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The one error type of the core.
#[derive(Debug, Error)]
pub enum Error {
    /// Python: `ValueError`.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// Python: `vsr.errors.EmbeddingError`.
    #[error(transparent)]
    Embedding(#[from] EmbeddingError),
    /// Python: `vsr.errors.ArtefactError`.
    #[error("{file}: {problem}")]
    Artefact {
        /// The file that cannot be read as what it should be.
        file: String,
        /// What is wrong with it, and where in it.
        problem: ArtefactProblem,
    },
    /// The operating system refused a file. Python: `OSError`, with its number.
    #[error("{path}: {source}")]
    Io {
        /// The file in question.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Code of another library gave up in a way that is no error value. Python: `vsr.errors.TrainingError`.
    #[error("internal failure: {0}")]
    Panic(String),
    /// The caller asked to stop (Ctrl-C). Python: the pending exception, usually `KeyboardInterrupt`.
    #[error("interrupted")]
    Interrupted,
}

/// Result with the core's own error.
pub type Result<T> = std::result::Result<T, Error>;

/// An argument that cannot be used as it is.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ValueError {
    /// A single number.
    #[error("{name}: {found}, expected {expected}")]
    OutOfRange { name: &'static str, found: String, expected: &'static str },
    /// A name that is none of those there are.
    #[error("{name}: {found:?} is none of {known}")]
    Unknown { name: &'static str, found: String, known: &'static str },
    /// A matrix without rows or columns.
    #[error("{name}: shape {shape:?}, expected at least one row and one column")]
    Empty { name: &'static str, shape: (usize, usize) },
    /// A value of a matrix that is not finite.
    #[error("{name}: row {row}, column {column} is {value}; every value must be a finite number")]
    NotFinite { name: &'static str, row: usize, column: usize, value: f32 },
    /// As before, where it does not matter where.
    #[error("{0}: every value must be a finite number")]
    SomeNotFinite(&'static str),
    /// A matrix of another width.
    #[error("{name}: rows of width {found}, expected {expected}")]
    Width { name: &'static str, found: usize, expected: usize },
    /// A matrix whose shape must be that of others.
    #[error("{name}: shape {found:?}, expected {expected:?} as of {others}")]
    Shape { name: &'static str, found: (usize, usize), expected: (usize, usize), others: &'static str },
    /// More than there is room for.
    #[error("{name}: {what}")]
    TooLarge { name: &'static str, what: String },
    /// Parts of an index that are not those of one.
    #[error("parts of an index: {what}")]
    Parts { what: String },
    /// A row number beyond the last row.
    #[error("{name}: {row} is not among the {n_rows} rows of this matrix")]
    NoSuchRow { name: &'static str, row: u32, n_rows: usize },
    /// A row number beyond the last text.
    #[error("row {row}: there are {n_texts} texts")]
    NoSuchText { row: usize, n_texts: usize },
    /// More category columns than columns.
    #[error("n_category_columns: {found}, but features have {width} columns only")]
    CategoryColumns { found: usize, width: usize },
    /// Another number of qualities than of rows.
    #[error("quality: {found} rows, expected one for each of {expected}")]
    QualityRows { found: usize, expected: usize },
    /// Another number of weights than of rows.
    #[error("weights: {found} numbers, expected one for each of {expected} rows")]
    WeightRows { found: usize, expected: usize },
    /// A quality that is none.
    #[error("quality: row {row}, column {column} is {value}; expected 0 to 1, or NaN where it was not measured")]
    Quality { row: usize, column: usize, value: f64 },
    /// Qualities that linfa-svm cannot take.
    #[error(
        "quality: linfa-svm has no weights of rows and can take multiples of 1/b, b up to {most}, alone; use the solver \
         shared-gram for such grades"
    )]
    Grades { most: u8 },
    /// A pattern of paths in JSON.
    #[error("patterns: {pattern:?} {problem}")]
    Pattern { pattern: String, problem: &'static str },
    /// An array without an axis.
    #[error("parts[{index}]: an array of rank 0, expected at least 1")]
    PartRank { index: usize },
    /// A number that JSON cannot say.
    #[error("parts[{index}]: number {position} is not finite, which JSON cannot say")]
    PartNumber { index: usize, position: usize },
    /// The operating system gives no threads.
    #[error("cannot start {wanted} threads: {cause}")]
    Threads { wanted: usize, cause: Cause },
    /// Another library refused what it was given.
    #[error("{library}: {cause}")]
    Refused { library: &'static str, cause: Cause },
}

/// A model that cannot be loaded, or a text that cannot be embedded.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum EmbeddingError {
    /// Something about a file or folder of a model.
    #[error("{}: {problem}", path.display())]
    Model { path: PathBuf, problem: ModelProblem },
    /// The operating system does not give a file; the name is fit to be shown.
    #[error("{name}: this file cannot be read: {cause}")]
    Unreadable { name: String, cause: std::io::Error },
    /// An operation of a network.
    #[error("the network failed: {0}")]
    Network(candle_core::Error),
    /// A vector that is no vector.
    #[error("the vector of text {text} is not finite; the model's weights are damaged")]
    NotFinite { text: usize },
    /// The tokenizer fails on a text.
    #[error("text {text}: the model's tokenizer failed: {cause}")]
    Tokenizer { text: usize, cause: Cause },
    /// A tokenizer of another model.
    #[error(
        "text {text}: the tokenizer gives token {token}, the network knows {vocabulary} tokens; tokenizer.json belongs \
         to another model"
    )]
    UnknownToken { text: usize, token: u32, vocabulary: usize },
    /// A limit that special tokens use up.
    #[error(
        "a limit of {limit} tokens leaves no room for text: the tokenizer adds {n_special} tokens of its own; raise \
         --embedding-max-tokens"
    )]
    NoRoom { limit: usize, n_special: usize },
    /// A processor that cannot do what was asked for.
    #[error(
        "the dtype 'bfloat16' needs a processor with avx512_bf16, which this machine has not; use 'float32', and train \
         again with it what was trained in bfloat16"
    )]
    NoBfloat16,
    /// Bytes are multiplied by code for processors.
    #[error("the dtype 'int8' is for the device 'cpu'; use 'float32' on another one")]
    NoInt8,
    /// An option that is none of those there are.
    #[error("unknown {option} '{found}'; expected {known}")]
    Unknown { option: &'static str, found: String, known: &'static str },
    /// No CUDA in this build or on this machine.
    #[error("{0}")]
    Cuda(String),
    /// A library gave up on the model.
    #[error("{what}: {panic}; the model's files are damaged or not supported")]
    GaveUp { what: String, panic: String },
}

/// What is wrong with a file or folder of a model.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ModelProblem {
    /// A file, folder, module or field that is not there.
    #[error("{0}")]
    Missing(String),
    /// Something that is not what its place asks for.
    #[error("{0}")]
    Invalid(String),
    /// Something that is right and that nothing here can run.
    #[error("{0}")]
    NotSupported(String),
    /// Two parts of the model, or the model and what was asked of it.
    #[error("{0}")]
    Mismatch(String),
    /// A file that is no JSON.
    #[error("no valid JSON: {0}")]
    Json(serde_json::Error),
    /// A configuration with a field of another type.
    #[error("{0}")]
    Config(serde_json::Error),
    /// Weights that are not all there.
    #[error("no complete safetensors file ({0}); it may have been cut off, load it again")]
    CutOff(safetensors::SafeTensorError),
    /// A tensor that the configuration asks for.
    #[error("tensor {name} of shape {shape:?} is missing{hint}")]
    TensorMissing { name: String, shape: Vec<usize>, hint: String },
    /// A tensor that the configuration does not ask for.
    #[error("tensor {name} of shape {shape:?} has no place in this architecture; config.json and weights do not fit")]
    TensorForeign { name: String, shape: Vec<usize> },
    /// A tensor of another shape.
    #[error("tensor {name}: expected shape {expected:?} from config.json, found {found:?}")]
    TensorShape { name: String, found: Vec<usize>, expected: Vec<usize> },
    /// A tensor of another type.
    #[error("tensor {name}: type {found:?} is not supported, expected F32, F16 or BF16")]
    TensorType { name: String, found: safetensors::Dtype },
}

/// What is wrong with an artefact.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum ArtefactProblem {
    /// Text that is not the expected JSON at a place, which ends in a separator unless it is the top.
    #[error("{place}{problem}; the file is damaged or of another kind")]
    Json { place: String, problem: String },
    /// Bytes that are no text.
    #[error("not UTF-8; expected a JSON document")]
    NotUtf8,
    /// A list of another length.
    #[error("{list}: {found} numbers, expected {expected}")]
    Length { list: String, found: usize, expected: usize },
    /// An item of a list that is no number.
    #[error("{list}: item {index} is {shown:?}, expected a finite number")]
    NotANumber { list: String, index: usize, shown: String },
    /// Items of a list of which some lack an array.
    #[error("{array} is missing in item {item} of {n_items}")]
    Missing { array: String, item: usize, n_items: usize },
    /// An array that is not rectangular after all.
    #[error("{array}: {cause}")]
    Shape { array: String, cause: ndarray::ShapeError },
}

impl ValueError {
    pub(crate) fn at_least_one(name: &'static str) -> Self {
        Self::OutOfRange { name, found: "0".to_owned(), expected: "at least 1" }
    }

    pub(crate) fn not_above_zero(name: &'static str, found: f64) -> Self {
        Self::OutOfRange { name, found: found.to_string(), expected: "a finite number above 0" }
    }
}

impl EmbeddingError {
    /// A problem with a file or folder of a model.
    pub(crate) fn model(path: &std::path::Path, problem: ModelProblem) -> Error {
        Self::Model { path: path.to_path_buf(), problem }.into()
    }
}

/// An operation of a network that failed. No `From`: it would make every `?` of the crate ambiguous.
pub(crate) fn network_error(error: candle_core::Error) -> Error {
    EmbeddingError::Network(error).into()
}
