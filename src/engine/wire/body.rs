//! What stands around a payload: its content type and its compression.
//!
//! It never looks into the payload. Invariant: however small the body, no more than the caller's limit is
//! inflated, so a bomb costs what an honest body of the largest size costs.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::{
    FrameDecoder, StreamingDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

/// What a zstd frame may want to look back on; all levels but the `ultra` ones want no more.
const MAX_ZSTD_WINDOW: u64 = 8 << 20;

/// How the records of a body are set apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
}

/// Why a body cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("expected a body of at most {limit} bytes, got more")]
    TooLarge { limit: usize },
    #[error("expected a whole {encoding} body: {reason}")]
    Malformed { encoding: &'static str, reason: String },
    #[error("expected content-encoding gzip, deflate, zstd or identity, got `{got}`")]
    UnsupportedEncoding { got: String },
    #[error("expected content-type application/json or application/x-ndjson, got {got}{hint}")]
    UnsupportedType { got: String, hint: &'static str },
}

impl BodyError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "body_too_large",
            Self::Malformed { .. } => "malformed_encoding",
            Self::UnsupportedEncoding { .. } => "unsupported_encoding",
            Self::UnsupportedType { .. } => "unsupported_content_type",
        }
    }
}

/// The format a content type names; its parameters are ignored and a body without one is taken as JSON.
///
/// Nothing is guessed from the body: a type that says something else is refused.
pub fn format_of(content_type: Option<&str>) -> Result<Format, BodyError> {
    let sent = content_type.unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" | "application/json" | "text/json" => Ok(Format::Json),
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonl"
        | "application/jsonlines"
        | "application/x-jsonlines" => Ok(Format::Ndjson),
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(Format::Json),
        other => {
            // What `curl -d` sends when it is not told otherwise.
            let is_form = other == "application/x-www-form-urlencoded";
            let hint = if is_form { "; with curl add -H 'content-type: application/json'" } else { "" };
            Err(BodyError::UnsupportedType { got: quote(other), hint })
        }
    }
}

/// Undoes a `content-encoding`: identity, gzip and zstd (of any number of members or frames) or deflate (zlib,
/// or raw as some clients send it).
pub fn inflate<'a>(encoding: Option<&str>, body: &'a [u8], max: usize) -> Result<Cow<'a, [u8]>, BodyError> {
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" if body.len() > max => Err(BodyError::TooLarge { limit: max }),
        "" | "identity" => Ok(Cow::Borrowed(body)),
        "gzip" | "x-gzip" => gunzip(body, max).map(Cow::Owned),
        "deflate" => match unwrap_deflate(body, max, true) {
            // Told apart by trying: two bytes of raw deflate can look like a zlib header, and the reverse.
            Err(error @ BodyError::Malformed { .. }) => {
                unwrap_deflate(body, max, false).map_err(|second| match second {
                    BodyError::TooLarge { .. } => second,
                    _ => error,
                })
            }
            done => done,
        }
        .map(Cow::Owned),
        "zstd" => unzstd(body, max).map(Cow::Owned),
        other => Err(BodyError::UnsupportedEncoding { got: other.chars().take(40).collect() }),
    }
}

fn gunzip(body: &[u8], max: usize) -> Result<Vec<u8>, BodyError> {
    let mut inflated = Vec::with_capacity(first_guess(body, max));
    // One byte more than the limit tells a body of just that size from a longer one.
    let read = MultiGzDecoder::new(body).take(max.saturating_add(1) as u64).read_to_end(&mut inflated);
    match read {
        _ if inflated.len() > max => Err(BodyError::TooLarge { limit: max }),
        Ok(_) => Ok(inflated),
        Err(error) => Err(malformed("gzip", &error)),
    }
}

fn unzstd(body: &[u8], max: usize) -> Result<Vec<u8>, BodyError> {
    let mut inflated = Vec::with_capacity(first_guess(body, max));
    let mut decoder = FrameDecoder::new();
    // A frame that tells its length has that for a window.
    decoder.set_max_window_size(MAX_ZSTD_WINDOW.max(max as u64));
    let mut rest = body;
    let mut frames = 0;
    while frames == 0 || !rest.is_empty() {
        let is_one_piece = rest.get(4).is_some_and(|descriptor| descriptor & 0x20 != 0);
        let mut frame = match StreamingDecoder::new_with_decoder(&mut rest, &mut decoder) {
            Ok(frame) => frame,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                rest = rest.get(length as usize..).ok_or_else(|| reason("zstd", "it ends too early"))?;
                continue;
            }
            // A frame of one piece wants a window of its length.
            Err(FrameDecoderError::WindowSizeTooBig { .. }) if is_one_piece => {
                return Err(BodyError::TooLarge { limit: max });
            }
            Err(error) => return Err(reason("zstd", error.to_string())),
        };
        let room = max.saturating_add(1).saturating_sub(inflated.len());
        let read = frame.by_ref().take(room as u64).read_to_end(&mut inflated);
        match read {
            _ if inflated.len() > max => return Err(BodyError::TooLarge { limit: max }),
            Ok(_) => {}
            Err(error) => return Err(reason("zstd", error.to_string())),
        }
        let sent = decoder.get_checksum_from_data();
        if sent.is_some() && sent != decoder.get_calculated_checksum() {
            return Err(reason("zstd", "its checksum is another one"));
        }
        frames += 1;
    }
    Ok(inflated)
}

fn unwrap_deflate(body: &[u8], max: usize, zlib: bool) -> Result<Vec<u8>, BodyError> {
    let mut stream = Decompress::new(zlib);
    let mut inflated = Vec::with_capacity(first_guess(body, max));
    let mut rest = body;
    loop {
        if inflated.len() == inflated.capacity() {
            let room = max.saturating_add(1).saturating_sub(inflated.len());
            inflated.reserve_exact(inflated.len().max(4096).min(room));
        }
        let (read, written) = (stream.total_in(), inflated.len());
        let status = stream
            .decompress_vec(rest, &mut inflated, FlushDecompress::None)
            .map_err(|error| malformed("deflate", &io::Error::from(error)))?;
        let taken = usize::try_from(stream.total_in() - read).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        if inflated.len() > max {
            return Err(BodyError::TooLarge { limit: max });
        }
        match status {
            Status::StreamEnd if rest.is_empty() => return Ok(inflated),
            Status::StreamEnd => return Err(reason("deflate", "bytes follow its end")),
            Status::Ok | Status::BufError if taken == 0 && inflated.len() == written => {
                return Err(reason("deflate", "it ends too early"));
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Logs deflate to about a fifth.
fn first_guess(body: &[u8], max: usize) -> usize {
    body.len().saturating_mul(5).clamp(64, 1 << 20).min(max.saturating_add(1))
}

fn malformed(encoding: &'static str, error: &io::Error) -> BodyError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => reason(encoding, "it ends too early"),
        _ => reason(encoding, error.to_string()),
    }
}

fn reason(encoding: &'static str, reason: impl Into<String>) -> BodyError {
    BodyError::Malformed { encoding, reason: reason.into() }
}

fn quote(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    format!("`{cut}`")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        compress_to_vec(data, CompressionLevel::Fastest)
    }

    fn raw(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    /// `None` expects the body to be too large.
    fn check(encoding: &str, body: &[u8], max: usize, expected: Option<&[u8]>) {
        let result = inflate(Some(encoding), body, max);
        let too_large = BodyError::TooLarge { limit: max };
        assert_eq!(result.as_deref(), expected.ok_or(&too_large), "{encoding} {max}");
    }

    #[test]
    fn every_encoding_is_undone() {
        for data in [&b""[..], b"{}", &b"a log line\n".repeat(10_000)] {
            check("identity", data, 200_000, Some(data));
            check("", data, 200_000, Some(data));
            check("gzip", &gzip(data), 200_000, Some(data));
            check(" X-GZip ", &gzip(data), 200_000, Some(data));
            check("deflate", &zlib(data), 200_000, Some(data));
            check("deflate", &raw(data), 200_000, Some(data));
        }
        assert_eq!(inflate(None, b"x", 1), Ok(Cow::Borrowed(&b"x"[..])));
        let members = [gzip(b"one,"), gzip(b""), gzip(b"two")].concat();
        check("gzip", &members, 7, Some(b"one,two"));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 1_000_000];
        for (encoding, body) in [
            ("identity", zeros.clone()),
            ("gzip", gzip(&zeros)),
            ("gzip", [gzip(b"x"), gzip(&zeros)].concat()),
            ("deflate", zlib(&zeros)),
            ("deflate", raw(&zeros)),
            ("zstd", zstd(&zeros)),
            ("zstd", [zstd(b"x"), zstd(&zeros)].concat()),
        ] {
            for max in [0, 1, 64, 999_999] {
                check(encoding, &body, max, None);
            }
        }
        check("gzip", &gzip(&zeros), 1_000_000, Some(&zeros));
        check("deflate", &zlib(&zeros), 1_000_000, Some(&zeros));
        check("deflate", &raw(&zeros), usize::MAX, Some(&zeros));
        check("zstd", &zstd(&zeros), 1_000_000, Some(&zeros));
    }

    #[test]
    fn frames_of_zstd_follow_each_other_and_may_be_skipped() {
        let skipped = [&[0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let body =
            [skipped.clone(), zstd(b"one "), skipped.clone(), zstd(b""), zstd(b"two"), skipped].concat();
        assert_eq!(*inflate(Some("ZSTD"), &body, 100).unwrap(), *b"one two");
        // A window of 2 GB.
        let greedy = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
        let error = inflate(Some("zstd"), &greedy, 100).unwrap_err();
        assert!(error.to_string().contains("window"), "{error}");
        // One piece of 16 MB.
        let long = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 1, 0x01, 0x00, 0x00];
        assert_eq!(inflate(Some("zstd"), &long, 100), Err(BodyError::TooLarge { limit: 100 }));
        let mut damaged = zstd(b"a log line");
        *damaged.last_mut().unwrap() ^= 1;
        let error = inflate(Some("zstd"), &damaged, 100).unwrap_err();
        assert!(error.to_string().contains("checksum"), "{error}");
    }

    #[test]
    fn a_stream_that_is_cut_short_or_followed_by_garbage_is_malformed() {
        let data = b"a log line\n".repeat(100);
        for (encoding, body) in [
            ("gzip", gzip(&data)),
            ("deflate", zlib(&data)),
            ("deflate", raw(&data)),
            ("gzip", gzip(b"")),
            ("zstd", zstd(&data)),
        ] {
            for length in 0..body.len() {
                let result = inflate(Some(encoding), &body[..length], 10_000);
                assert!(
                    matches!(result, Err(BodyError::Malformed { .. })),
                    "{encoding} {length}: {result:?}"
                );
            }
            let mut longer = body.clone();
            longer.extend_from_slice(b"garbage");
            let result = inflate(Some(encoding), &longer, 10_000);
            assert!(matches!(result, Err(BodyError::Malformed { .. })), "{encoding}: {result:?}");
        }
        let mut damaged = gzip(&data);
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert!(matches!(inflate(Some("gzip"), &damaged, 10_000), Err(BodyError::Malformed { .. })));
    }

    #[test]
    fn the_reason_is_told() {
        let cut = inflate(Some("gzip"), &gzip(b"hello")[..12], 100).unwrap_err();
        assert_eq!(cut.to_string(), "expected a whole gzip body: it ends too early");
        let other = inflate(Some("br"), b"x", 100).unwrap_err();
        assert_eq!(other.to_string(), "expected content-encoding gzip, deflate, zstd or identity, got `br`");
        assert_eq!(other.code(), "unsupported_encoding");
        let two = inflate(Some("gzip, gzip"), b"x", 100).unwrap_err();
        assert_eq!(two, BodyError::UnsupportedEncoding { got: "gzip, gzip".into() });
    }

    #[test]
    fn a_content_type_names_the_format() {
        for (sent, expected) in [
            (None, Some(Format::Json)),
            (Some(""), Some(Format::Json)),
            (Some("application/json"), Some(Format::Json)),
            (Some("Application/JSON; charset=utf-8"), Some(Format::Json)),
            (Some("text/json"), Some(Format::Json)),
            (Some("application/vnd.acme.v1+json"), Some(Format::Json)),
            (Some("application/x-ndjson"), Some(Format::Ndjson)),
            (Some("application/ndjson;charset=utf-8"), Some(Format::Ndjson)),
            (Some("application/jsonl"), Some(Format::Ndjson)),
            (Some("application/x-jsonlines"), Some(Format::Ndjson)),
            (Some("text/plain"), None),
            (Some("text/plain;charset=UTF-8"), None),
            (Some("image/svg+json"), None),
            (Some("application/octet-stream"), None),
            (Some("multipart/form-data; boundary=x"), None),
            (Some("json"), None),
        ] {
            assert_eq!(format_of(sent).ok(), expected, "{sent:?}");
        }
    }

    #[test]
    fn what_curl_sends_by_default_is_answered_with_the_cure() {
        let error = format_of(Some("application/x-www-form-urlencoded")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected content-type application/json or application/x-ndjson, got `application/x-www-form-urlencoded`; with curl add -H 'content-type: application/json'"
        );
        let error = format_of(Some("text/plain")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected content-type application/json or application/x-ndjson, got `text/plain`"
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(
            encoding in prop::sample::select(vec!["gzip", "deflate", "zstd"]),
            body in prop::collection::vec(any::<u8>(), 0..300),
            cut in 0..40_usize,
            max in 0..200_usize,
        ) {
            let _ = inflate(Some(encoding), &body, max);
            let mut damaged = if encoding == "gzip" { gzip(&body) } else { zlib(&body) };
            let at = cut % damaged.len();
            damaged[at] ^= 0x55;
            if let Ok(inflated) = inflate(Some(encoding), &damaged, max) {
                prop_assert!(inflated.len() <= max);
            }
        }
    }
}
