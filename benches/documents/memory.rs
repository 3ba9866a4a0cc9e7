//! Collections in memory.

use bolide::prelude::*;

use super::Extent;
use super::scene::{Scene, Watched};
use super::table::{count, row, time, title};

/// The number of writes of each kind in a row of a table.
const WRITES: usize = 2_000;

pub(crate) async fn measure(extent: Extent) {
    title(
        "In memory, one subscriber affected by each write",
        &["documents", "live queries", "insert", "update", "remove", "subscribe to 50"],
    );
    let sizes: &[usize] =
        if extent == Extent::Quick { &[1_000, 100_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    for documents in sizes {
        equality(*documents, 1).await;
        equality(*documents, (documents / 50).clamp(1, 10_000)).await;
        newest(*documents, (documents / 50).clamp(1, 1_000)).await;
    }
    equality(100_000, 10_000).await;
}

fn collection() -> Collection {
    Collection::new("messages").index(["rid", "ts"])
}

/// Each query compares one field for equality.
async fn equality(documents: usize, queries: usize) {
    let rooms = (documents / 50).max(queries);
    let mut scene = Scene::new(App::builder(), collection(), documents, rooms).await;
    let subscribe = scene.time_to_subscribe(Watched::Room, 100.min(rooms)).await;
    scene.watch(Watched::Room, queries).await;
    let writes = scene.time_to_write(queries, WRITES).await;
    let live = format!("{} (equality)", count(queries));
    row(&[count(documents), live, time(writes.insert), time(writes.update), time(writes.remove), time(subscribe)]);
}

/// Each query shows the newest 50 documents of a room.
async fn newest(documents: usize, rooms: usize) {
    let mut scene = Scene::new(App::builder(), collection(), documents, rooms).await;
    let subscribe = scene.time_to_subscribe(Watched::Newest, 100.min(rooms)).await;
    scene.watch(Watched::Newest, rooms).await;
    let writes = scene.time_to_write(rooms, WRITES).await;
    let live = format!("{} (newest 50)", count(rooms));
    row(&[count(documents), live, time(writes.insert), time(writes.update), time(writes.remove), time(subscribe)]);
}
