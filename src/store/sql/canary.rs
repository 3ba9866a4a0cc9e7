//! The canary of the keys, in SQL.

use super::SqlStore;
use super::layer::query;
use crate::store::canary::Canary;
use crate::store::{Sealed, StoreFuture};

impl Canary for SqlStore {
    fn canary(&self) -> StoreFuture<'_, Option<Sealed>> {
        Box::pin(async move {
            let sealed = query("SELECT sealed FROM canary").fetch_optional(&self.database.reader).await?;
            Ok(sealed.map(|row| row.get::<Vec<u8>>("sealed")).transpose()?.map(Sealed::new))
        })
    }

    fn put_canary(&self, sealed: Sealed) -> StoreFuture<'_, bool> {
        let put = query("INSERT INTO canary (id, sealed) VALUES (1, $1) ON CONFLICT DO NOTHING");
        self.change(put.bind(sealed.as_bytes().to_vec()))
    }

    fn reseal_canary<'store>(&'store self, from: &'store Sealed, to: Sealed) -> StoreFuture<'store, bool> {
        let resealed = query("UPDATE canary SET sealed = $2 WHERE sealed = $1");
        self.change(resealed.bind(from.as_bytes()).bind(to.as_bytes().to_vec()))
    }
}
