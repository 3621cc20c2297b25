//! The bodies of OTLP's answers, in the encoding of the request.

use serde_json::json;

use super::Encoding;
use crate::engine::wire::protobuf::{put_bytes, put_int};

/// `ExportLogsServiceResponse`. Without a rejection or a message there is no partial success in it: a client
/// takes an empty one for a warning.
pub fn success(encoding: Encoding, rejected: u64, message: &str) -> Vec<u8> {
    let partial = rejected > 0 || !message.is_empty();
    match encoding {
        Encoding::Json if !partial => b"{}".to_vec(),
        Encoding::Json => {
            // A 64-bit integer is text in protobuf's JSON.
            let partial = json!({"rejectedLogRecords": rejected.to_string(), "errorMessage": message});
            json!({"partialSuccess": partial}).to_string().into_bytes()
        }
        Encoding::Protobuf => {
            let mut answer = Vec::new();
            if partial {
                let mut partial = Vec::new();
                put_int(&mut partial, 1, i64::try_from(rejected).unwrap_or(i64::MAX));
                put_bytes(&mut partial, 2, message.as_bytes());
                put_bytes(&mut answer, 1, &partial);
            }
            answer
        }
    }
}

/// `google.rpc.Status`, the body of every answer from 400 on. The code is gRPC's, not HTTP's.
pub fn status(encoding: Encoding, code: i32, message: &str) -> Vec<u8> {
    match encoding {
        Encoding::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
        Encoding::Protobuf => {
            let mut answer = Vec::new();
            put_int(&mut answer, 1, i64::from(code));
            put_bytes(&mut answer, 2, message.as_bytes());
            answer
        }
    }
}
