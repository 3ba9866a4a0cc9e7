//! Dropping an app frees what it holds, without a shutdown.

use std::time::Duration;

use bolide::App;
use bolide::accounts::Accounts;
use bolide::chance::SystemChance;
use bolide::keys::KeyRing;
use bolide::store::SqlStore;

#[tokio::test]
async fn a_dropped_app_frees_its_store_and_the_lock_of_the_file() {
    let directory = std::env::temp_dir().join(format!("bolide-dropped-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let address = format!("sqlite:{}", directory.join("bolide.db").display());
    let store = SqlStore::open(&address).await.unwrap();
    let accounts = Accounts::open(store, KeyRing::generate(&SystemChance)).await.unwrap();
    let app = App::builder().accounts(accounts).build().unwrap();
    app.accounts().unwrap().add_user("ada", &[], &[], None).await.unwrap();
    // The tasks of the app run now, and wait.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(SqlStore::open(&address).await.is_err(), "the app holds the lock");

    drop(app);

    let opened = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            match SqlStore::open(&address).await {
                Ok(store) => return store,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    });
    drop(opened.await.unwrap());
    std::fs::remove_dir_all(&directory).unwrap();
}
