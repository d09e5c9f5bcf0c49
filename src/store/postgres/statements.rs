//! The statements, with the names of one schema filled in.

use tokio_postgres::types::Type;

use super::schema::Schema;
use crate::store::SCHEDULED;

/// A statement and the types of its parameters, by which it needs no round trip
/// to be parsed.
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) types: Vec<Type>,
}

/// How far rows are counted one by one; beyond it the server's estimate serves.
pub(super) const COUNT_TO: i64 = 100_000;

/// A confirm's commit is synced before it is answered, whatever the session or
/// its role says: the setting holds until the end of the transaction, so it
/// also holds where the transaction is the application's, and it reaches the
/// server through any pooler.
const DURABLE: &str = "durable AS MATERIALIZED (SELECT CASE WHEN \
    current_setting('synchronous_commit') IN ('off', 'local') \
    THEN set_config('synchronous_commit', 'on', true) END)";

/// A lease or a settlement that a crash undoes costs a repeated call at worst:
/// it is not waited for.
const RELAXED: &str = "relaxed AS MATERIALIZED (SELECT CASE WHEN \
    current_setting('synchronous_commit') <> 'off' \
    THEN set_config('synchronous_commit', 'off', true) END)";

/// The server's clock, unless the builder has another one.
const CLOCK: &str = "clock AS MATERIALIZED (SELECT coalesce($1::int8, \
    floor(extract(epoch FROM clock_timestamp()) * 1000)::int8) AS now)";

macro_rules! statements {
    ($($name:ident = $sql:expr, [$($type:ident),*];)+) => {
        pub(super) struct Statements {
            $(pub(super) $name: Statement,)+
        }

        impl Statements {
            pub(super) fn new(schema: &Schema) -> Self {
                Self {
                    $($name: Statement {
                        sql: schema.fill(&complete($sql)),
                        types: vec![$(Type::$type),*],
                    },)+
                }
            }
        }
    };
}

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("sql/", $name, ".sql"))
    };
}

statements! {
    record = sql!("record"), [BYTEA_ARRAY, UUID_ARRAY, INT4_ARRAY, INT8_ARRAY, INT8_ARRAY];
    confirm_ids = &sql!("confirm")
        .replace("@given@", "").replace("@given_hits@", "").replace("@given_queued@", ""),
        [INT8, INT4_ARRAY, UUID_ARRAY, UUID_ARRAY, BOOL_ARRAY, BYTEA_ARRAY];
    confirm_any = &sql!("confirm")
        .replace("@given@", sql!("confirm_given"))
        .replace("@given_hits@", "UNION ALL SELECT g.ord, g.sid, true, g.sent_at, g.id FROM given g")
        .replace("@given_queued@", "UNION ALL SELECT sid, entry, source FROM recorded"),
        [INT8, INT4_ARRAY, UUID_ARRAY, UUID_ARRAY, BOOL_ARRAY, BYTEA_ARRAY,
            INT4_ARRAY, BYTEA_ARRAY, UUID_ARRAY, INT4_ARRAY, INT8_ARRAY, INT8_ARRAY];
    lease_all = &sql!("lease").replace("@waiting@", sql!("lease_all")),
        [INT8, BYTEA_ARRAY, INT8_ARRAY, INT8, INT8, INT8, INT8, BYTEA];
    lease_known = &sql!("lease").replace("@waiting@", sql!("lease_known")),
        [INT8, BYTEA_ARRAY, INT8_ARRAY, INT8, INT8, INT8, INT8, BYTEA, INT4_ARRAY, INT8_ARRAY];
    settle = sql!("settle"),
        [INT8, INT8_ARRAY, INT8_ARRAY, INT2_ARRAY, INT8_ARRAY, INT4_ARRAY, INT4_ARRAY,
            INT2_ARRAY, INT4_ARRAY, INT8_ARRAY, INT8, INT8];
    expire = sql!("expire"), [INT8, INT8, INT8];
    forget = sql!("forget"), [UUID_ARRAY, BYTEA_ARRAY];
    forget_queued = sql!("forget_queued"), [INT8_ARRAY];
    forget_settled = sql!("forget_settled"), [INT8_ARRAY, BYTEA_ARRAY];
    update_status = sql!("update_status"), [BYTEA_ARRAY, BYTEA_ARRAY, INT2_ARRAY, INT8_ARRAY];
    keep_notes = sql!("keep_notes"), [UUID_ARRAY, BYTEA_ARRAY, INT8_ARRAY];
    notes = sql!("notes"), [UUID_ARRAY, UUID_ARRAY];
    add_rollups = sql!("add_rollups"),
        [INT8, INT8, INT8, INT2_ARRAY, INT8_ARRAY, BYTEA_ARRAY, TEXT_ARRAY, TEXT_ARRAY, INT8_ARRAY];
    rollups = sql!("rollups"), [INT2, INT8, INT8];
    lookup = sql!("lookup"), [UUID_ARRAY, UUID_ARRAY];
    by_sid = sql!("by_sid"), [BYTEA_ARRAY];
    dead_letters = sql!("dead_letters"), [BYTEA, INT8];
    resend = sql!("resend"), [INT8, BYTEA_ARRAY];
    counts = sql!("counts"), [INT8];
    sources = sql!("sources"), [BYTEA_ARRAY, TEXT_ARRAY, TEXT_ARRAY];
    sources_by_id = sql!("sources_by_id"), [INT4_ARRAY];
    server = "SELECT current_setting('server_version_num')::int4, \
        current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on', \
        to_regclass('@schema@.migration') IS NOT NULL", [];
    version = "SELECT version, compatible_from FROM @schema@.migration \
        ORDER BY version DESC LIMIT 1", [];
}

/// Fills in what statements have in common.
fn complete(sql: &str) -> String {
    sql.replace("@durable@", DURABLE)
        .replace("@relaxed@", RELAXED)
        .replace("@clock@", CLOCK)
        .replace("@ledger_columns@", sql!("ledger_columns"))
        .replace("@ledger_joins@", sql!("ledger_joins"))
        .replace("@scheduled@", &SCHEDULED.as_millis().to_string())
        .replace("@count_to@", &COUNT_TO.to_string())
}
