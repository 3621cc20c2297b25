//! The promises of the bucket.

use super::{Broken, same};
use crate::ports::ObjectStore;

/// Runs on a store that holds nothing below `contract/`.
pub async fn objects(store: &dyn ObjectStore) -> Result<(), Broken> {
    let key = |name: &str| format!("contract/{name}");
    let one = key("one");
    store.ping().await?;
    same("no object reads as none", store.get(&one).await?, None)?;
    same("no object has no range", store.get_range(&one, 0, 4).await?, None)?;

    store.put(&one, b"0123456789".to_vec()).await?;
    same("what is put is read", store.get(&one).await?, Some(b"0123456789".to_vec()))?;
    same("a range is read", store.get_range(&one, 2, 3).await?, Some(b"234".to_vec()))?;
    same("a range ends with its object", store.get_range(&one, 8, 9).await?, Some(b"89".to_vec()))?;
    store.put(&one, b"again".to_vec()).await?;
    same("the last put wins", store.get(&one).await?, Some(b"again".to_vec()))?;

    let two = key("two");
    store.put(&two, Vec::new()).await?;
    same("an object may be empty", store.get(&two).await?, Some(Vec::new()))?;

    let listing = store.list("contract/", None).await?;
    same("a listing is in order", listing.keys(), vec![one.clone(), two.clone()])?;
    let sizes: Vec<u64> = listing.objects.iter().map(|object| object.size_bytes).collect();
    same("it knows sizes", sizes, vec![5, 0])?;
    same("and is whole", listing.cursor, None)?;
    same("a listing keeps to its prefix", store.list(&two, None).await?.keys(), vec![two.clone()])?;

    store.delete(&[one.clone(), two, key("never")]).await?;
    same("what is deleted is gone", store.get(&one).await?, None)?;
    same("from listings too", store.list("contract/", None).await?.keys(), Vec::new())
}
