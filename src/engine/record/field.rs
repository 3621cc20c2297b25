//! The fields of a stored row behind its id and times, in the order in which a row has them.
//!
//! A field's number is stored too, in the logs of shards: it must not change, nor another field come between two of these.

/// What the value of a field is in JSON. A status may be a text as well: a row that has one is kept as a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A string; its value is what stands between the quotes.
    Text,
    Number,
    Array,
    Object,
}

/// Takes the values of a row, in the order of their fields.
pub trait Values {
    /// A value as it stands in JSON, in parts; of a text what is between its quotes.
    fn put(&mut self, field: Field, parts: &[&str]);
}

macro_rules! fields {
    ($($field:ident $name:literal $form:ident,)*) => {
        /// A field, by its number in that order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($field,)*
        }

        /// The names of all that is stored of a row, in its order.
        pub const NAMES: [&str; 3 + Field::ALL.len()] = ["id", "timestamp", "received_at", $($name),*];

        impl Field {
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$field),*];

            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                }
            }

            pub const fn form(self) -> Form {
                match self {
                    $(Self::$field => Form::$form,)*
                }
            }

            /// What stands before its value in a row.
            pub const fn opening(self) -> &'static str {
                match self {
                    $(Self::$field => concat!(",\"", $name, "\":", fields!(quote $form)),)*
                }
            }

            /// What stands behind it.
            pub const fn closing(self) -> &'static str {
                match self.form() {
                    Form::Text => "\"",
                    Form::Number | Form::Array | Form::Object => "",
                }
            }

            /// A bit for each.
            pub const fn bit(self) -> u32 {
                1 << self as u32
            }
        }
    };
    (quote Text) => { "\"" };
    (quote $form:ident) => { "" };
}

fields! {
    Service "service" Text,
    Level "level" Text,
    Message "message" Text,
    Environment "environment" Text,
    Component "component" Text,
    Endpoint "endpoint" Text,
    Method "method" Text,
    Category "category" Text,
    SourceType "source_type" Text,
    CorrelationId "correlation_id" Text,
    TraceId "trace_id" Text,
    SpanId "span_id" Text,
    UserId "user_id" Text,
    ErrorType "error_type" Text,
    StackTrace "stack_trace" Text,
    Logger "logger" Text,
    Thread "thread" Text,
    Status "status" Number,
    DurationMs "duration_ms" Number,
    Host "host" Text,
    PatternId "pattern_id" Text,
    SampleRate "sample_rate" Number,
    Tags "tags" Array,
    Metadata "metadata" Object,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_numbers_that_are_stored() {
        let stored = [
            "service",
            "level",
            "message",
            "environment",
            "component",
            "endpoint",
            "method",
            "category",
            "source_type",
            "correlation_id",
            "trace_id",
            "span_id",
            "user_id",
            "error_type",
            "stack_trace",
            "logger",
            "thread",
            "status",
            "duration_ms",
            "host",
            "pattern_id",
            "sample_rate",
            "tags",
            "metadata",
        ];
        for (nth, (field, name)) in Field::ALL.into_iter().zip(stored).enumerate() {
            assert_eq!((field as usize, field.bit(), field.name()), (nth, 1 << nth, name));
        }
        assert_eq!(Field::ALL.len(), stored.len());
    }

    #[test]
    fn fields_are_written_as_json() {
        for field in Field::ALL {
            let value = match field.form() {
                Form::Text => "a",
                Form::Number => "1",
                Form::Array => "[]",
                Form::Object => "{}",
            };
            let json = format!("{{\"id\":0{}{value}{}}}", field.opening(), field.closing());
            let row: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert!(row.get(field.name()).is_some(), "{json}");
        }
    }
}
