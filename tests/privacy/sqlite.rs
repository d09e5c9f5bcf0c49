//! SQLite: the file, its log and its index of the log, while it is open and after.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tower_message_feedback::store::{
    SqliteStore,
    sqlite::{Synchronous, rusqlite::Connection},
};

use crate::{
    direct::Trouble,
    files,
    markers::JOINED_ID,
    run::{all_types_were_shown, at_rest, everything, site},
    said::{nobody_told, noted},
    servers::{Place, fresh_directory},
    support::AC,
};

/// Every table has another name for a while.
struct Renamed(PathBuf);

impl Renamed {
    fn rename(&self, from: &str, to: &str) {
        let connection = Connection::open(&self.0).expect("a connection");
        let mut tables = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ?")
            .expect("a statement");
        let names = tables.query_map([format!("{from}*")], |row| row.get::<_, String>(0));
        let names: Vec<String> = names.expect("tables").map(|name| name.expect("text")).collect();
        assert!(!names.is_empty());
        for name in names {
            let other = name.replacen(from, to, 1);
            connection
                .execute_batch(&format!(
                    "PRAGMA legacy_alter_table = on; ALTER TABLE {name} RENAME TO {other}"
                ))
                .expect("another name");
        }
    }
}

impl Trouble for Renamed {
    async fn begin(&self) {
        self.rename("tmf_", "away_");
    }

    async fn end(&self) {
        self.rename("away_", "tmf_");
    }
}

#[tokio::test]
async fn in_sqlite() {
    let directory = fresh_directory(Place::Ram, "sqlite");
    let file = directory.join("feedback.db");
    SqliteStore::migrate(&file).await.expect("tables");
    let site = site().await;
    let builder = noted(SqliteStore::builder(&file).clock(site.time.clock()));
    let store = Arc::new(noted(builder.open().await.expect("a store")));
    let (app, entry) = everything(site, store.clone(), &Renamed(file.clone())).await;

    let join = noted(app.world.feedback.join_sqlite(store.clone()));
    let mut connection = Connection::open(&file).expect("a connection");
    let transaction = connection.transaction().expect("a transaction");
    let sent = app.message(AC).await;
    noted(noted(join.record(&transaction, JOINED_ID, sent).expect("an answer")).committed());
    noted(noted(join.confirm(&transaction, JOINED_ID).expect("an answer")).committed());
    transaction.commit().expect("a commit");
    drop(connection);
    nobody_told();

    for settings in noted(store.settings().await.expect("settings")) {
        noted(settings.role);
    }
    noted(Synchronous::Full);
    all_types_were_shown(&["Sqlite", "sqlite"], &[]);
    for name in ["feedback.db", "feedback.db-wal", "feedback.db-shm"] {
        assert!(directory.join(name).exists(), "{name}");
    }
    at_rest("the files of SQLite", &files::of(&directory), &entry);
    app.world.feedback.shutdown(Duration::from_secs(5)).await;
    drop((app, join, store));
    // The last connection, which a thread has, removes the log.
    let begun = std::time::Instant::now();
    while directory.join("feedback.db-wal").exists() && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    at_rest("the closed file of SQLite", &files::of(&directory), &entry);
}
