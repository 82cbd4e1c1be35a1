//! The choice between the two engines.

use std::str::FromStr;

use crate::error::ValueError;
use crate::{Error, Result};

/// How rows within a group are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A scan of byte codes with proven bounds, then float32 for the rows within them.
    Flat,
    /// Linfa's ball tree.
    BallTree,
}

impl Engine {
    /// The name in files and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::BallTree => "ball-tree",
        }
    }
}

impl FromStr for Engine {
    type Err = Error;

    /// `auto` is the scan: at the widths of embeddings a ball tree visits nearly every row and was slower at every
    /// size measured (benches/README.md).
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" | "flat" => Ok(Self::Flat),
            "ball-tree" => Ok(Self::BallTree),
            _ => {
                let known = "auto, flat, ball-tree";
                Err(ValueError::Unknown { name: "engine", found: name.to_owned(), known }.into())
            }
        }
    }
}
