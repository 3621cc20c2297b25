//! The bucket on R2.

use async_trait::async_trait;
use worker::{
    Bucket, Range,
    send::{SendFuture, SendWrapper},
};

use super::{meter, port_error};
use crate::ports::{
    ObjectStore, PortError,
    objects::{Listed, Listing},
};

pub(crate) struct R2Objects(SendWrapper<Bucket>);

impl R2Objects {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self(SendWrapper::new(bucket))
    }

    async fn read(&self, key: &str, range: Option<Range>) -> Result<Option<Vec<u8>>, worker::Error> {
        meter::R2_READS.add(1);
        let get = self.0.get(key);
        let get = match range {
            Some(range) => get.range(range),
            None => get,
        };
        match get.execute().await? {
            Some(object) => match object.body() {
                Some(body) => body.bytes().await.map(Some),
                None => Ok(None),
            },
            None => Ok(None),
        }
    }
}

#[async_trait]
impl ObjectStore for R2Objects {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), PortError> {
        meter::R2_WRITES.add(1);
        let put = SendFuture::new(async { self.0.put(key, bytes).execute().await });
        put.await.map(|_| ()).map_err(port_error("objects"))
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        SendFuture::new(self.read(key, None)).await.map_err(port_error("objects"))
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>, PortError> {
        let range = Range::OffsetWithLength { offset, length };
        SendFuture::new(self.read(key, Some(range))).await.map_err(port_error("objects"))
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        meter::R2_DELETES.add(1);
        SendFuture::new(self.0.delete_multiple(keys.to_vec())).await.map_err(port_error("objects"))
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, PortError> {
        meter::R2_LISTS.add(1);
        let listed = SendFuture::new(async {
            let list = self.0.list().prefix(prefix);
            let list = match cursor {
                Some(cursor) => list.cursor(cursor),
                None => list,
            };
            list.execute().await.map(|page| Listing {
                objects: page
                    .objects()
                    .iter()
                    .map(|object| Listed { key: object.key(), size_bytes: object.size() })
                    .collect(),
                cursor: page.cursor().filter(|_| page.truncated()),
            })
        });
        listed.await.map_err(port_error("objects"))
    }

    async fn ping(&self) -> Result<(), PortError> {
        meter::R2_READS.add(1);
        SendFuture::new(self.0.head("health")).await.map(|_| ()).map_err(port_error("objects"))
    }
}
