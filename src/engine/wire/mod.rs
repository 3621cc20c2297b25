//! Wire formats: bytes of a request to raw records. Each format parses its own shape and nothing else;
//! what a field means is decided once, in `record::normalise`. One bad record never costs another.

pub mod batch;
pub mod body;
mod reserved;
pub mod tail;
