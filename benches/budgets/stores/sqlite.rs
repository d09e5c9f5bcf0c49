use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tower_message_feedback::store::{
    SqliteStore,
    sqlite::rusqlite::{Connection, Transaction, TransactionBehavior, params},
};

use super::{
    idle,
    measure::{Bench, Budgets, Raw},
};
use crate::{
    numbered::{digits, key},
    table::{Budget, Table},
};

/// With `synchronous` at FULL.
const BUDGETS: Budgets = Budgets {
    confirms: Budget::AtLeast(5_000.0),
    lease_and_settle: Budget::None,
    of_server: Budget::None,
    of_raw: Budget::None,
};

pub(crate) async fn bench(pending: &[u64], table: &mut Table) {
    // Beside the table, on a disk: a file in memory would sync for nothing.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores-sqlite");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("bench.db");
    SqliteStore::migrate(&path).await.expect("tables");
    let store = SqliteStore::builder(&path).max_messages(50_000_000).max_outbox(10_000_000);
    let store = Arc::new(store.open().await.expect("the store"));
    let raw_path = directory.join("raw.db");
    SqliteStore::migrate(&raw_path).await.expect("tables");
    let bench = Bench::new("SQLite", store, RawStatements::new(&raw_path), BUDGETS);
    // Ten million are more than one machine's file is for.
    for &pending in pending.iter().filter(|pending| **pending <= 1_000_000) {
        let before = size(&path);
        let filled = bench.fill(pending).await;
        let each = (size(&path) - before) / filled as f64;
        let what = format!("SQLite, bytes a pending message, of {pending}");
        table.exact(&what, "", each, Budget::None);
        bench.fill_raw(filled).await;
        bench.measure(pending, table).await;
    }
    let idle_path = directory.join("idle.db");
    SqliteStore::migrate(&idle_path).await.expect("tables");
    let idle_store = SqliteStore::open(&idle_path).await.expect("the store");
    idle::confirm_to_post("SQLite", idle_store, table).await;
    drop(bench);
    let _ = std::fs::remove_dir_all(&directory);
}

/// The statements on the same tables in a file beside it, a transaction a batch,
/// on the one connection that may write.
struct RawStatements(Mutex<Connection>);

impl RawStatements {
    fn new(path: &Path) -> Self {
        let connection = Connection::open(path).expect("the file");
        connection.pragma_update(None, "synchronous", "FULL").expect("set");
        Self(Mutex::new(connection))
    }

    fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> T) -> T {
        tokio::task::block_in_place(|| {
            let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = begun.expect("begun");
            let answer = work(&transaction);
            transaction.commit().expect("committed");
            answer
        })
    }
}

impl Raw for RawStatements {
    const WHAT: &str = "the statements' in a transaction";
    const SHARES_DATA: bool = false;

    async fn record(&self, numbers: Vec<u64>) {
        self.transaction(|transaction| {
            let mut insert = transaction
                .prepare(
                    "INSERT INTO tmf_message (key, sid, account, base_url, sent_at, expires_at) \
                     VALUES (?1, ?2, 1, 1, ?3, ?4)",
                )
                .expect("a statement");
            for number in numbers {
                let (key, sent_at) = (key(number), 1_000 * number as i64);
                let row = params![key.as_bytes(), digits(number), sent_at, sent_at + 1_000_000];
                insert.execute(row).expect("inserted");
            }
        });
    }

    async fn confirm(&self, numbers: Vec<u64>) {
        self.transaction(|transaction| {
            let statement = |sql| transaction.prepare(sql).expect("a statement");
            let mut find = statement(
                "SELECT id FROM tmf_message WHERE key = ?1 ORDER BY sent_at DESC, id DESC LIMIT 1",
            );
            let mut mark = statement("UPDATE tmf_message SET state = 3 WHERE id = ?1");
            let mut enqueue = statement(
                "INSERT INTO tmf_outbox (message, account, due_at, confirmed_at, queued_at) \
                 VALUES (?1, 1, ?2, ?2, ?2)",
            );
            for number in numbers {
                let key = key(number);
                let id: i64 = find.query_row([key.as_bytes()], |row| row.get(0)).expect("a row");
                mark.execute([id]).expect("updated");
                enqueue.execute([id, number as i64]).expect("inserted");
            }
        });
    }

    async fn lease_and_settle(&self, limit: usize) -> usize {
        let leased: Vec<(i64, i64)> = self.transaction(|transaction| {
            let statement = |sql| transaction.prepare(sql).expect("a statement");
            let mut due = statement(
                "SELECT o.id, o.message, m.sid FROM tmf_outbox o JOIN tmf_message m \
                 ON m.id = o.message WHERE o.account = 1 AND o.due_at < ?1 \
                 ORDER BY o.due_at, o.id LIMIT ?2",
            );
            let mut lease =
                statement("UPDATE tmf_outbox SET due_at = ?2, lease_token = 1 WHERE id = ?1");
            let limit = limit as i64;
            let rows = due.query_map([LEASED, limit], |row| {
                let _: [u8; 16] = row.get(2)?;
                Ok((row.get(0)?, row.get(1)?))
            });
            let rows: Vec<_> = rows.expect("rows").map(|row| row.expect("a row")).collect();
            for (id, _) in &rows {
                lease.execute([*id, LEASED]).expect("updated");
            }
            rows
        });
        self.transaction(|transaction| {
            let statement = |sql| transaction.prepare(sql).expect("a statement");
            let mut remove = statement("DELETE FROM tmf_outbox WHERE id = ?1");
            let mut mark =
                statement("UPDATE tmf_message SET state = 1, expires_at = ?2 WHERE id = ?1");
            let mut settled = statement(
                "INSERT INTO tmf_settled (message, confirmed_at, settled_at, attempts, not_found) \
                 VALUES (?1, 1, 1, 1, 0)",
            );
            for (id, message) in &leased {
                remove.execute([id]).expect("deleted");
                mark.execute([*message, 1_000]).expect("updated");
                settled.execute([message]).expect("inserted");
            }
        });
        leased.len()
    }
}

/// Later than anything in the outbox is due.
const LEASED: i64 = 1 << 60;

fn size(path: &Path) -> f64 {
    // What is still in the log beside it belongs to it.
    let connection = Connection::open(path).expect("the file");
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("a checkpoint");
    std::fs::metadata(path).map_or(0.0, |metadata| metadata.len() as f64)
}
