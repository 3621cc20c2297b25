//! Where the service says what went wrong in itself: its own console, never its own store.

pub trait Journal: Send + Sync {
    fn error(&self, message: &str);
}
