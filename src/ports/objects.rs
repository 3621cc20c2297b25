//! The bucket.

use async_trait::async_trait;

use super::PortError;

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub objects: Vec<Listed>,
    /// Present when there are more.
    pub cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size_bytes: u64,
}

impl Listing {
    pub fn keys(&self) -> Vec<String> {
        self.objects.iter().map(|object| object.key.clone()).collect()
    }
}

#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Writes the object; visible to `get` once this returns. Writing it again is harmless.
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), PortError>;

    /// The whole object, or `None` when there is none.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError>;

    /// `length` bytes from `offset`, or `None` when there is no object.
    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>, PortError>;

    /// Removes objects, at most 1,000; those that are not there are no error.
    async fn delete(&self, keys: &[String]) -> Result<(), PortError>;

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, PortError>;

    /// Answers when the bucket can be read.
    async fn ping(&self) -> Result<(), PortError>;
}
