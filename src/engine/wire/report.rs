//! What a sender is told of its own text: never more than a few hundred characters of it.

use serde_json::error::Category;

const MAX_CHARS: usize = 200;

/// The head of a text.
pub(super) fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_CHARS).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// What `serde_json` says, with line and column. Of a value that it quotes only the head is kept.
pub(super) fn json_error(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let head = cut(&message);
    match error.classify() {
        Category::Data if head.len() < message.len() => {
            format!("{head}… at line {} column {}", error.line(), error.column())
        }
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_short_and_has_its_place() {
        let error = serde_json::from_str::<u8>("\n7,").unwrap_err();
        assert_eq!(json_error(&error), "trailing characters at line 2 column 2");
        let error = serde_json::from_str::<u8>(&format!("\"{}\"", "é".repeat(1000))).unwrap_err();
        let message = json_error(&error);
        assert!(
            message.starts_with("invalid type: string \"éé") && message.ends_with("é… at line 1 column 2002")
        );
        assert_eq!(message.chars().count(), 223);
    }
}
