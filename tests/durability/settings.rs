//! The settings that promises rest on, as the connections have them.

use tower_message_feedback::store::{
    Durability, FeedbackStore, PostgresStore, RedisStore, SqliteStore, redis::Persistence,
    sqlite::Synchronous,
};

use crate::servers::{Place, Postgres, Redis, fresh_directory};

#[tokio::test]
async fn every_connection_to_sqlite_syncs() {
    let file = fresh_directory(Place::Ram, "settings").join("feedback.db");
    SqliteStore::migrate(&file).await.expect("a schema");
    let store = SqliteStore::open(&file).await.expect("a store");
    let settings = store.settings().await.expect("settings");
    assert_eq!(settings.len(), 2);
    assert!(settings.iter().all(|of| of.synchronous == 2 && of.journal_mode == "wal"));
    assert_eq!(store.durability(), Durability::Synced);

    let weaker = SqliteStore::builder(&file).synchronous(Synchronous::Normal).open().await;
    let weaker = weaker.expect("a store");
    assert!(weaker.settings().await.expect("settings").iter().all(|of| of.synchronous == 1));
    assert_eq!(weaker.durability(), Durability::Process);
}

#[tokio::test]
async fn postgres_that_does_not_sync_is_found_out() {
    let durability = async |server: &Postgres| {
        let store = PostgresStore::builder().url(server.url()).build().expect("a store");
        store.migrate().await.expect("a schema");
        store.check().await.expect("a fit server");
        store.durability()
    };
    // That each confirm is synced whatever else the server says, the power cuts show.
    let synced = Postgres::options().synced().set("synchronous_commit", "off").start();
    assert_eq!(durability(&synced).await, Durability::Synced);
    drop(synced);
    let unsynced = Postgres::options().synced().set("fsync", "off").start();
    assert_eq!(durability(&unsynced).await, Durability::Process);
}

#[tokio::test]
async fn redis_says_how_it_syncs() {
    for (appendfsync, persistence, durability) in [
        ("always", Persistence::Always, Durability::Synced),
        ("everysec", Persistence::EverySecond, Durability::Process),
        ("no", Persistence::System, Durability::Process),
    ] {
        let server = Redis::options().append_only(appendfsync).start();
        let store = RedisStore::builder().connect(server.url()).await.expect("a store");
        assert_eq!((store.persistence(), store.durability()), (persistence, durability));
    }
}
