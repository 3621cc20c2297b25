//! Work that goes on behind an answer.

use futures::future::BoxFuture;

pub trait Background: Send + Sync {
    /// Runs it without anybody waiting; the platform gives it 30 seconds after the answer.
    fn spawn(&self, work: BoxFuture<'static, ()>);
}
