use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use bytes::BytesMut;
use tower_message_feedback::{
    Timestamp,
    store::{
        Attempts, FeedbackStore, LeaseRequest, PostgresStore, SettledAs, Settlement,
        postgres::tokio_postgres::{
            Client, NoTls, Statement,
            types::{IsNull, ToSql, Type, to_sql_checked},
        },
    },
};

use super::{
    idle,
    load::message,
    measure::{Bench, Budgets, Raw},
};
use crate::{
    numbered::{digits, key, target},
    servers::Postgres,
    table::{Budget, Table},
};

const CLIENTS: usize = 16;

const BUDGETS: Budgets = Budgets {
    confirms: Budget::None,
    lease_and_settle: Budget::AtLeast(20_000.0),
    of_server: Budget::None,
    of_raw: Budget::AtLeast(0.8),
};

pub(crate) async fn bench(pending: &[u64], table: &mut Table) {
    // As Debian ships it, but for room: what a plain server gives.
    let server = Postgres::options()
        .synced()
        .on_disk()
        .set("shared_buffers", "1GB")
        .set("max_wal_size", "4GB")
        .start();
    let store = Arc::new(open(&server, "bench").await);
    let raw = RawStatements::of(&store, &server).await;
    let bench = Bench::new("PostgreSQL", store, raw, BUDGETS);
    for &pending in pending {
        let before = size(&server);
        let filled = bench.fill(pending).await;
        let each = (size(&server) - before) / filled as f64;
        let what = format!("PostgreSQL, bytes a pending message, of {pending}");
        table.exact(&what, "", each, Budget::None);
        server.sql("postgres", "VACUUM ANALYZE");
        bench.measure(pending, table).await;
    }
    idle::confirm_to_post("PostgreSQL", open(&server, "idle").await, table).await;
}

fn size(server: &Postgres) -> f64 {
    let size = server.sql("postgres", "SELECT pg_total_relation_size('bench.message')");
    size.trim().parse().expect("a number")
}

async fn open(server: &Postgres, schema: &str) -> PostgresStore {
    let store = PostgresStore::builder()
        .url(server.url())
        .schema(schema)
        .max_connections(CLIENTS)
        .timeout(Duration::from_secs(60))
        .build()
        .expect("a store");
    store.migrate().await.expect("tables");
    store
}

/// The store's own statements, as the server has them, with parameters that are
/// made beforehand as far as they can be.
struct RawStatements {
    clients: Vec<Client>,
    next: AtomicUsize,
    record: Vec<Statement>,
    confirm: Vec<Statement>,
    lease: Vec<Statement>,
    settle: Vec<Statement>,
    source: i32,
    token: AtomicU64,
}

impl RawStatements {
    async fn of(store: &PostgresStore, server: &Postgres) -> Self {
        // Each statement once, so that the server knows its text.
        store.record(&[message(0)]).await.expect("a record");
        store.confirm(&[target(0)]).await.expect("a confirm");
        let leased = store.lease(&LeaseRequest::new(1, Duration::from_secs(60))).await;
        let entry = leased.expect("a lease").entries.pop().expect("an entry");
        let settled = Settlement::new(&entry, Attempts::new(1, 0), SettledAs::Delivered);
        store.settle(&[settled]).await.expect("a settlement");
        // The pool hands out one connection, again and again, to who is alone.
        let client = store.pool().get().await.expect("a connection");
        let rows = client.query("SELECT statement FROM pg_prepared_statements", &[]).await;
        let texts: Vec<String> = rows.expect("statements").iter().map(|row| row.get(0)).collect();
        let text = |part: &[&str]| {
            let found = texts.iter().find(|text| part.iter().all(|part| text.contains(part)));
            found.unwrap_or_else(|| panic!("no statement with {part:?}")).clone()
        };
        let row = client.query_one("SELECT id FROM bench.source", &[]).await;
        let row = row.expect("a source");
        let texts = [
            text(&["INSERT INTO \"bench\".message", "inserted AS"]),
            text(&["UPDATE \"bench\".message", "fresh AS", "every"]),
            text(&["FOR UPDATE SKIP LOCKED", "walk(account)"]),
            text(&["DELETE FROM \"bench\".outbox", "INSERT INTO \"bench\".delivered"]),
        ];
        let mut raw = Self {
            clients: Vec::new(),
            next: AtomicUsize::new(0),
            record: Vec::new(),
            confirm: Vec::new(),
            lease: Vec::new(),
            settle: Vec::new(),
            source: row.get(0),
            token: AtomicU64::new(1),
        };
        for _ in 0..CLIENTS {
            let (client, connection) = server.config().connect(NoTls).await.expect("a server");
            tokio::spawn(connection);
            let [record, confirm, lease, settle] = &texts;
            raw.record.push(client.prepare(record).await.expect("a statement"));
            raw.confirm.push(client.prepare(confirm).await.expect("a statement"));
            raw.lease.push(client.prepare(lease).await.expect("a statement"));
            raw.settle.push(client.prepare(settle).await.expect("a statement"));
            raw.clients.push(client);
        }
        raw
    }

    fn client(&self) -> usize {
        self.next.fetch_add(1, Relaxed) % CLIENTS
    }
}

impl Raw for RawStatements {
    const WHAT: &str = "its statements', sent raw";
    const SHARES_DATA: bool = true;

    async fn record(&self, numbers: Vec<u64>) {
        let sids: Vec<Vec<u8>> = numbers.iter().map(|number| packed(*number)).collect();
        let keys: Vec<Uuid> = numbers.iter().map(|number| Uuid(*key(*number).as_bytes())).collect();
        let sources = vec![self.source; numbers.len()];
        let now = Timestamp::from(SystemTime::now()).as_millis();
        let (sent, expires) = (vec![now; numbers.len()], vec![now + 259_200_000; numbers.len()]);
        let client = self.client();
        let rows = self.clients[client]
            .query(&self.record[client], &[&sids, &keys, &sources, &sent, &expires])
            .await
            .expect("the server records");
        assert_eq!(rows.len(), numbers.len());
    }

    async fn confirm(&self, numbers: Vec<u64>) {
        let places: Vec<i32> = (0..).take(numbers.len()).collect();
        let keys: Vec<Uuid> = numbers.iter().map(|number| Uuid(*key(*number).as_bytes())).collect();
        let previous: Vec<Option<Uuid>> = vec![None; numbers.len()];
        let every = vec![false; numbers.len()];
        let client = self.client();
        let rows = self.clients[client]
            .query(&self.confirm[client], &[&None::<i64>, &places, &keys, &previous, &every])
            .await
            .expect("the server confirms");
        // Each as found, as locked, and as queued.
        assert_eq!(rows.len(), 3 * numbers.len());
    }

    async fn lease_and_settle(&self, limit: usize) -> usize {
        let client = self.client();
        let token = self.token.fetch_add(1, Relaxed) as i64;
        let limit = limit as i64;
        let rows = self.clients[client]
            .query(
                &self.lease[client],
                &[
                    &None::<i64>,
                    &Vec::<Vec<u8>>::new(),
                    &Vec::<i64>::new(),
                    &limit,
                    &limit,
                    &40_000_i64,
                    &token,
                    &None::<Vec<u8>>,
                ],
            )
            .await
            .expect("the server leases");
        let ids: Vec<i64> = rows.iter().filter_map(|row| row.get(1)).collect();
        let count = ids.len();
        let none: Vec<Option<i32>> = vec![None; count];
        self.clients[client]
            .query(
                &self.settle[client],
                &[
                    &None::<i64>,
                    &ids,
                    &vec![token; count],
                    &vec![0_i16; count],
                    &vec![0_i64; count],
                    &vec![1_i32; count],
                    &vec![0_i32; count],
                    &vec![None::<i16>; count],
                    &none,
                    &vec![None::<i64>; count],
                    &86_400_000_i64,
                    &2_592_000_000_i64,
                ],
            )
            .await
            .expect("the server settles");
        count
    }
}

/// A SID without an upper-case letter, as the store keeps it.
fn packed(number: u64) -> Vec<u8> {
    std::iter::once(0).chain(digits(number)).collect()
}

#[derive(Debug, Clone, Copy)]
struct Uuid([u8; 16]);

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}
