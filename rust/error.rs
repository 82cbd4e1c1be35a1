//! The one error type of the core; the binding maps each variant to one Python class.

/// What can go wrong in the core. Every message says what, where, what was expected and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument that cannot be used as it is (shape, range, not finite). Python: `ValueError`.
    #[error("{0}")]
    Value(String),
    /// A model folder or a text that cannot be embedded. Python: `vsr.errors.EmbeddingError`.
    #[error("{0}")]
    Embedding(String),
    /// An artefact file that cannot be read as what it should be. Python: `vsr.errors.ArtefactError`.
    #[error("{0}")]
    Artefact(String),
    /// The operating system refused a file. Python: `OSError`, with its number.
    #[error("{path}: {source}")]
    Io {
        /// The file in question.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Code of another library gave up in a way that is no error value. Python: `RuntimeError`, or the error of the job.
    #[error("internal failure: {0}")]
    Panic(String),
    /// The caller asked to stop (Ctrl-C). Python: the pending exception, usually `KeyboardInterrupt`.
    #[error("interrupted")]
    Interrupted,
}

/// Result with the core's own error.
pub type Result<T> = std::result::Result<T, Error>;
