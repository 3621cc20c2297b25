//! Wire formats: bytes of a request to raw records. Each format parses its own shape and nothing else;
//! what a field means is decided once, in `record::normalise`. One bad record never costs another.

pub mod batch;
pub mod body;
pub mod datadog;
mod draft;
pub mod elastic;
pub mod gelf;
pub mod jsonline;
pub mod logpush;
pub mod loki;
pub mod otlp;
mod protobuf;
mod report;
mod reserved;
mod service;
pub mod split;
pub mod splunk;
pub mod tail;
