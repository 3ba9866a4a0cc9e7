//! The canary of the keys, in SQL.

use super::SqliteStore;
use super::row::failed;
use crate::store::canary::Canary;
use crate::store::{Sealed, StoreFuture};

impl Canary for SqliteStore {
    fn canary(&self) -> StoreFuture<'_, Option<Sealed>> {
        Box::pin(async move {
            let sealed = sqlx::query_scalar::<_, Vec<u8>>("SELECT sealed FROM canary");
            Ok(sealed.fetch_optional(&self.reader).await.map_err(failed)?.map(Sealed::new))
        })
    }

    fn put_canary(&self, sealed: Sealed) -> StoreFuture<'_, bool> {
        let put = sqlx::query("INSERT INTO canary (id, sealed) VALUES (1, $1) ON CONFLICT DO NOTHING");
        self.change(put.bind(sealed.as_bytes().to_vec()))
    }

    fn reseal_canary<'store>(&'store self, from: &'store Sealed, to: Sealed) -> StoreFuture<'store, bool> {
        let resealed = sqlx::query("UPDATE canary SET sealed = $2 WHERE sealed = $1");
        self.change(resealed.bind(from.as_bytes().to_vec()).bind(to.as_bytes().to_vec()))
    }
}
