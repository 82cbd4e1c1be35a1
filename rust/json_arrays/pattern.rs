//! Which values of a document are arrays to take out.

use super::Precision;
use crate::Result;
use crate::error::ValueError;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Any,
    /// Every item of a list, stacked.
    Stack,
}

/// A path with wildcards, such as `weights.*` or `training_records[].embedding`.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    steps: Vec<Step>,
    pub(super) precision: Precision,
}

/// Where in a pattern a walk is: how many of its steps were taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) pattern: usize,
    taken: usize,
}

impl Pattern {
    /// Parses keys joined by dots; `*` is any key or index, `[]` after a key every item of its list.
    pub(super) fn parse(text: &str, precision: Precision) -> Result<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (key, stacked) = match part.strip_suffix("[]") {
                Some(key) => (key, true),
                None => (part, false),
            };
            if key.is_empty() {
                return Err(ValueError::Pattern { pattern: text.to_owned(), problem: "has an empty key" }.into());
            }
            steps.push(if key == "*" { Step::Any } else { Step::Key(key.to_owned()) });
            if stacked {
                steps.push(Step::Stack);
            }
        }
        if steps.iter().filter(|step| **step == Step::Stack).count() > 1 {
            return Err(ValueError::Pattern { pattern: text.to_owned(), problem: "has more than one []" }.into());
        }
        Ok(Self { steps, precision })
    }
}

/// The places at the top of a document.
pub(super) fn start(patterns: &[Pattern]) -> Vec<Place> {
    (0..patterns.len()).map(|pattern| Place { pattern, taken: 0 }).collect()
}

/// The places after going into an object's `key`.
pub(super) fn into_key(patterns: &[Pattern], places: &[Place], key: &str) -> Vec<Place> {
    advance(patterns, places, |step| *step == Step::Any || matches!(step, Step::Key(own) if own == key))
}

/// The places after going into an item of a list.
pub(super) fn into_item(patterns: &[Pattern], places: &[Place]) -> Vec<Place> {
    advance(patterns, places, |step| matches!(step, Step::Any | Step::Stack))
}

fn advance(patterns: &[Pattern], places: &[Place], matches: impl Fn(&Step) -> bool) -> Vec<Place> {
    let next = |place: &Place| patterns[place.pattern].steps.get(place.taken).is_some_and(&matches);
    places.iter().filter(|place| next(place)).map(|place| Place { taken: place.taken + 1, ..*place }).collect()
}

/// The pattern that ends here, if one does.
pub(super) fn complete(patterns: &[Pattern], places: &[Place]) -> Option<usize> {
    let ends = |place: &&Place| patterns[place.pattern].steps.len() == place.taken;
    places.iter().find(ends).map(|place| place.pattern)
}

/// Whether the step that led here stacks the items of a list.
pub(super) fn stacks(patterns: &[Pattern], place: Place) -> bool {
    place.taken > 0 && patterns[place.pattern].steps[place.taken - 1] == Step::Stack
}
