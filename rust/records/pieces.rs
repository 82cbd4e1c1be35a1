//! The lines of a stream that arrives in blocks.

use std::ops::Range;

use memchr::memchr;

use super::MOST_BYTES;

/// Where the next line stands.
pub enum Piece {
    /// Among the bytes that are there; with its end of line, and without one at the end of the stream.
    Line(Range<usize>),
    /// More bytes have to come first; none come: the end of the stream.
    More,
}

/// Bytes that have come and are not read yet.
#[derive(Default)]
pub struct Pieces {
    bytes: Vec<u8>,
    start: usize,
    /// No end of line before this.
    searched: usize,
    is_whole: bool,
}

impl Pieces {
    /// Takes a block; an empty one ends the stream.
    pub fn feed(&mut self, block: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(block);
        self.is_whole = block.is_empty();
    }

    /// Finds the next line and passes over it; one that is too long comes in pieces.
    pub fn next_line(&mut self) -> Piece {
        let end = memchr(b'\n', &self.bytes[self.searched..]).map(|at| self.searched + at + 1);
        let longest = self.start + MOST_BYTES + 1;
        let end = match end {
            Some(end) => end.min(longest),
            None if self.bytes.len() >= longest => longest,
            None if self.is_whole && self.start < self.bytes.len() => self.bytes.len(),
            None => {
                self.searched = self.bytes.len();
                return Piece::More;
            }
        };
        let line = self.start..end;
        (self.start, self.searched) = (end, end);
        Piece::Line(line)
    }

    /// Whether the stream has ended.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The bytes of a line.
    #[must_use]
    pub fn line(&self, line: Range<usize>) -> &[u8] {
        &self.bytes[line]
    }
}
