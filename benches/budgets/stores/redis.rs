use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tower_message_feedback::store::{
    RedisStore, RedisStoreBuilder,
    redis::redis::{
        self, AsyncConnectionConfig, Client, Cmd, Pipeline, Script, SetExpiry, SetOptions,
        aio::MultiplexedConnection,
    },
};

use super::{
    idle,
    measure::{Bench, Budgets, Raw},
};
use crate::{
    numbered::{digits, key},
    servers::Redis,
    table::{Budget, Table},
};

const BUDGETS: Budgets = Budgets {
    confirms: Budget::None,
    lease_and_settle: Budget::None,
    of_raw: Budget::None,
    of_server: Budget::AtLeast(0.8),
};

pub(crate) async fn bench(pending: &[u64], table: &mut Table) {
    let server = Redis::options()
        .append_only("everysec")
        .set("hash-max-listpack-entries", 256)
        .on_disk()
        .start();
    let most = pending.iter().copied().max().unwrap_or_default();
    let store =
        connect(RedisStore::builder().prefix("bench").expected_messages(most), &server).await;
    let raw = RawCommands::new(&server).await;
    let bench = Bench::new("Redis", Arc::new(store), raw, BUDGETS);
    for &pending in pending {
        let before = used_memory(&server);
        let filled = bench.fill(pending).await;
        let each = (used_memory(&server) - before) / filled as f64;
        let what = format!("Redis, bytes a pending message, of {pending}");
        // Of few it is the fixed part that counts.
        let budget = if pending < 1_000_000 { Budget::None } else { Budget::AtMost(80.0) };
        table.exact(&what, "", each, budget);
        bench.fill_raw(filled).await;
        bench.measure(pending, table).await;
    }
    idle::confirm_to_post(
        "Redis",
        connect(RedisStore::builder().prefix("idle"), &server).await,
        table,
    )
    .await;
}

/// What one would write by hand: a key a message, a sorted set of what is due, and
/// no more than one command or script a batch.
struct RawCommands {
    connection: MultiplexedConnection,
    confirm: Script,
    lease: Script,
}

impl RawCommands {
    async fn new(server: &Redis) -> Self {
        let client = Client::open(server.url()).expect("an address");
        let patient = Some(Duration::from_secs(60));
        let config = AsyncConnectionConfig::new().set_response_timeout(patient);
        Self {
            connection: client
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .expect("a connection"),
            confirm: Script::new(
                "for i = 2, #ARGV do
                   local key = 'raw:' .. ARGV[i]
                   if redis.call('GET', key) then
                     redis.call('SETRANGE', key, 0, 'q')
                     redis.call('PERSIST', key)
                     redis.call('ZADD', KEYS[1], ARGV[1], ARGV[i])
                   end
                 end",
            ),
            lease: Script::new(
                "local due = redis.call('ZRANGEBYSCORE', KEYS[1], 0, ARGV[1], 'LIMIT', 0, ARGV[2])
                 local answer = {}
                 for i, member in ipairs(due) do
                   redis.call('ZADD', KEYS[1], ARGV[1] + 40000, member)
                   answer[i] = { member, redis.call('GET', 'raw:' .. member) }
                 end
                 return answer",
            ),
        }
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.as_millis() as u64
}

impl Raw for RawCommands {
    const WHAT: &str = "what one writes by hand";
    const SHARES_DATA: bool = false;

    async fn record(&self, numbers: Vec<u64>) {
        let mut connection = self.connection.clone();
        let mut pipeline = Pipeline::with_capacity(numbers.len());
        for number in numbers {
            let name = [&b"raw:"[..], key(number).as_bytes()].concat();
            let record = [&b"p"[..], &digits(number), &[0; 14]].concat();
            pipeline.add_command(Cmd::set_options(
                name,
                record,
                SetOptions::default().with_expiration(SetExpiry::EX(259_200)),
            ));
            pipeline.ignore();
        }
        let () = pipeline.query_async(&mut connection).await.expect("recorded");
    }

    async fn confirm(&self, numbers: Vec<u64>) {
        let mut call = self.confirm.prepare_invoke();
        call.key("raw-due").arg(now());
        for number in numbers {
            call.arg(&key(number).as_bytes()[..]);
        }
        let () = call.invoke_async(&mut self.connection.clone()).await.expect("confirmed");
    }

    async fn lease_and_settle(&self, limit: usize) -> usize {
        let mut connection = self.connection.clone();
        let mut call = self.lease.prepare_invoke();
        call.key("raw-due").arg(now()).arg(limit);
        let leased: Vec<(Vec<u8>, Vec<u8>)> =
            call.invoke_async(&mut connection).await.expect("leased");
        let mut pipeline = Pipeline::new();
        for (member, _) in &leased {
            let name = [&b"raw:"[..], member].concat();
            pipeline.zrem("raw-due", member).ignore();
            pipeline.setrange(&name, 0, "d").ignore();
            pipeline.expire(&name, 86_400).ignore();
        }
        if !leased.is_empty() {
            let () = pipeline.query_async(&mut connection).await.expect("settled");
        }
        leased.len()
    }

    async fn worked(&self) -> Option<f64> {
        let mut info = redis::cmd("INFO");
        info.arg("cpu");
        let info: String = info.query_async(&mut self.connection.clone()).await.expect("an answer");
        let seconds = |name| {
            let line = info.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().parse::<f64>().ok()
        };
        // One thread runs all commands.
        Some(seconds("used_cpu_user_main_thread:")? + seconds("used_cpu_sys_main_thread:")?)
    }
}

async fn connect(builder: RedisStoreBuilder, server: &Redis) -> RedisStore {
    let builder = builder.response_timeout(Duration::from_secs(60));
    let store = builder.connect(server.url()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    store
}

fn used_memory(server: &Redis) -> f64 {
    let info = server.cli(&["INFO", "memory"]);
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.and_then(|used| used.trim().parse().ok()).expect("a number")
}
