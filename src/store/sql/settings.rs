//! The values of settings, in SQL.

use super::SqlStore;
use super::layer::query;
use crate::clock::Timestamp;
use crate::store::StoreFuture;
use crate::store::setting::StoredSettings;

impl StoredSettings for SqlStore {
    fn settings(&self) -> StoreFuture<'_, Vec<(String, String)>> {
        Box::pin(async move {
            let rows = query("SELECT id, json FROM settings ORDER BY id").fetch_all(&self.database.reader).await?;
            rows.iter().map(|row| Ok((row.get("id")?, row.get("json")?))).collect()
        })
    }

    fn put_setting<'store>(&'store self, id: &'store str, json: &'store str, at: Timestamp) -> StoreFuture<'store, ()> {
        Box::pin(async move {
            let put = "INSERT INTO settings (id, json, changed_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (id) DO UPDATE SET json = excluded.json, changed_at = excluded.changed_at";
            self.change(query(put).bind(id).bind(json).bind(at.milliseconds())).await.map(drop)
        })
    }

    fn delete_setting<'store>(&'store self, id: &'store str) -> StoreFuture<'store, ()> {
        Box::pin(async move { self.change(query("DELETE FROM settings WHERE id = $1").bind(id)).await.map(drop) })
    }
}
