//! The statements, prepared once a connection.
//!
//! rusqlite's own cache is a feature that its older versions do not know.

use rusqlite::{Connection, Params, Row, Statement};

use super::error::SqliteError;

macro_rules! queries {
    ($($(#[$note:meta])* $name:ident = $sql:expr;)*) => {
        /// A statement by its name.
        #[derive(Clone, Copy)]
        pub(super) enum Query {
            $($(#[$note])* $name,)*
        }

        const SQL: &[&str] = &[$($sql),*];
    };
}

/// All that the ledger says of a message.
macro_rules! ledger {
    ($rest:literal) => {
        concat!(
            "SELECT m.sid, m.account, m.base_url, m.sent_at, m.label, m.state, ",
            "coalesce(o.confirmed_at, s.confirmed_at), s.settled_at, ",
            "coalesce(o.attempts, s.attempts), coalesce(o.not_found, s.not_found), ",
            "s.failure, s.status, s.code, m.delivery, m.error_code, m.key FROM tmf_message m ",
            "LEFT JOIN tmf_outbox o ON o.message = m.id AND m.state = 3 ",
            "LEFT JOIN tmf_settled s ON s.message = m.id AND m.state IN (1, 2) ",
            $rest
        )
    };
}

queries! {
    BeginRead = "BEGIN";
    BeginWrite = "BEGIN IMMEDIATE";
    Commit = "COMMIT";
    Rollback = "ROLLBACK";
    Savepoint = "SAVEPOINT tmf";
    Release = "RELEASE tmf";
    RollbackTo = "ROLLBACK TO tmf";

    Totals = "SELECT version, compatible_from, messages, outbox, dead_letters, lease_token \
        FROM tmf_store";
    SaveTotals = "UPDATE tmf_store SET messages = ?1, outbox = ?2, dead_letters = ?3, \
        lease_token = ?4";

    AccountId = "SELECT id FROM tmf_account WHERE sid = ?1";
    AddAccount = "INSERT INTO tmf_account (sid) VALUES (?1)";
    Account = "SELECT sid FROM tmf_account WHERE id = ?1";
    BaseUrlId = "SELECT id FROM tmf_base_url WHERE url = ?1";
    AddBaseUrl = "INSERT INTO tmf_base_url (url) VALUES (?1)";
    BaseUrl = "SELECT url FROM tmf_base_url WHERE id = ?1";
    LabelId = "SELECT id FROM tmf_label WHERE name = ?1";
    AddLabel = "INSERT INTO tmf_label (name) VALUES (?1)";
    Label = "SELECT name FROM tmf_label WHERE id = ?1";

    KeyOfSid = "SELECT key FROM tmf_message WHERE sid = ?1";
    AddMessage = "INSERT INTO tmf_message \
        (key, sid, account, base_url, sent_at, expires_at, label) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

    /// The newest message under a key that was sent before a time.
    NewestBefore = "SELECT id, account, state FROM tmf_message WHERE key = ?1 AND sent_at < ?2 \
        ORDER BY sent_at DESC, id DESC LIMIT 1";
    Newest = "SELECT id, account, state FROM tmf_message WHERE key = ?1 \
        ORDER BY sent_at DESC, id DESC LIMIT 1";
    AllOfKey = "SELECT id, account, state FROM tmf_message WHERE key = ?1 ORDER BY sent_at, id";
    OfSid = "SELECT id, account, state FROM tmf_message WHERE sid = ?1";
    OfSidAndKey = "SELECT id, account, state FROM tmf_message WHERE sid = ?1 AND key = ?2";
    MarkQueued = "UPDATE tmf_message SET state = 3 WHERE id = ?1";
    Enqueue = "INSERT INTO tmf_outbox (message, account, due_at, confirmed_at, queued_at) \
        VALUES (?1, ?2, ?3, ?4, ?3)";

    /// The accounts of the outbox are found one by one, whatever its size.
    NextAccount = "SELECT account FROM tmf_outbox WHERE account > ?1 ORDER BY account LIMIT 1";
    Due = "SELECT o.id, o.due_at, o.queued_at, o.attempts, o.not_found, m.sid, m.base_url \
        FROM tmf_outbox o CROSS JOIN tmf_message m ON m.id = o.message \
        WHERE o.account = ?1 AND (o.due_at, o.id) > (?2, ?3) AND o.due_at <= ?4 \
        ORDER BY o.due_at, o.id LIMIT ?5";
    Lease = "UPDATE tmf_outbox SET due_at = ?2, lease_token = ?3 WHERE id = ?1";
    FirstDue = "SELECT due_at FROM tmf_outbox WHERE account = ?1 AND due_at > ?2 \
        ORDER BY due_at LIMIT 1";

    LeasedMessage = "SELECT message, confirmed_at FROM tmf_outbox WHERE id = ?1 AND lease_token = ?2";
    Reschedule = "UPDATE tmf_outbox SET due_at = ?2, attempts = ?3, not_found = ?4, \
        lease_token = NULL WHERE id = ?1";
    DropEntry = "DELETE FROM tmf_outbox WHERE message = ?1";
    MarkSettled = "UPDATE tmf_message SET state = ?2, expires_at = ?3 WHERE id = ?1";
    AddSettled = "INSERT INTO tmf_settled (message, confirmed_at, settled_at, attempts, not_found, \
        failure, status, code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    SettledConfirm = "SELECT confirmed_at FROM tmf_settled WHERE message = ?1";
    DropSettled = "DELETE FROM tmf_settled WHERE message = ?1";

    Evictable = "SELECT id, state FROM tmf_message WHERE state <= 1 ORDER BY expires_at, id LIMIT 1";
    OldestDead = "SELECT id, state FROM tmf_message WHERE state = 2 ORDER BY expires_at, id LIMIT 1";
    Expired = "SELECT id, state FROM tmf_message WHERE state <= 1 AND expires_at <= ?1 \
        ORDER BY expires_at, id LIMIT ?2";
    ExpiredDead = "SELECT id, state FROM tmf_message WHERE state = 2 AND expires_at <= ?1 \
        ORDER BY expires_at, id LIMIT ?2";
    DropMessage = "DELETE FROM tmf_message WHERE id = ?1";

    DeliveryOfSid = "SELECT account, delivery FROM tmf_message WHERE sid = ?1";
    SetDelivery = "UPDATE tmf_message SET delivery = ?2, error_code = ?3 WHERE sid = ?1";
    Note = "SELECT value FROM tmf_note WHERE key = ?1";
    KeepNote = "INSERT INTO tmf_note (key, value, keep_until) VALUES (?1, ?2, ?3) \
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, \
        keep_until = max(keep_until, excluded.keep_until)";
    AddWriter = "INSERT INTO tmf_rollup_writer (writer, sequence, keep_until) VALUES (?1, ?2, ?3) \
        ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, \
        keep_until = max(keep_until, excluded.keep_until) WHERE sequence < excluded.sequence";
    Rollup = "SELECT counts FROM tmf_rollup \
        WHERE resolution = ?1 AND start = ?2 AND account = ?3 AND segment = ?4";
    KeepRollup = "INSERT INTO tmf_rollup (resolution, start, account, segment, counts, keep_until) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET counts = excluded.counts, \
        keep_until = max(keep_until, excluded.keep_until)";
    Rollups = "SELECT start, account, segment, counts, keep_until FROM tmf_rollup \
        WHERE resolution = ?1 AND start >= ?2 AND start < ?3";
    DropRollups = "DELETE FROM tmf_rollup WHERE (resolution, start, account, segment) IN \
        (SELECT resolution, start, account, segment FROM tmf_rollup \
        WHERE keep_until <= ?1 ORDER BY keep_until LIMIT ?2)";
    DropWriters = "DELETE FROM tmf_rollup_writer WHERE keep_until <= ?1";
    DropNotes = "DELETE FROM tmf_note WHERE key IN (SELECT key FROM tmf_note \
        WHERE keep_until <= ?1 ORDER BY keep_until LIMIT ?2)";

    LedgerOfKey = ledger!("WHERE m.key = ?1 ORDER BY m.sent_at DESC, m.id DESC");
    LedgerOfSid = ledger!("WHERE m.sid = ?1");
    DeadLetters = ledger!("WHERE m.state = 2 AND m.sid > ?1 ORDER BY m.sid LIMIT ?2");
    OldestEntry = "SELECT queued_at FROM tmf_outbox ORDER BY id LIMIT 1";
}

/// The statements of one connection, each prepared when it is first needed.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    prepared: Vec<Option<Statement<'c>>>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, prepared: SQL.iter().map(|_| None).collect() }
    }

    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    fn get(&mut self, query: Query) -> Result<&mut Statement<'c>, SqliteError> {
        let index = query as usize;
        let slot = &mut self.prepared[index];
        match slot {
            Some(statement) => Ok(statement),
            None => Ok(slot.insert(self.connection.prepare(SQL[index])?)),
        }
    }

    /// Runs a statement; answers how many rows it changed.
    pub(super) fn execute(
        &mut self,
        query: Query,
        params: impl Params,
    ) -> Result<usize, SqliteError> {
        Ok(self.get(query)?.execute(params)?)
    }

    /// Inserts a row; answers its id.
    pub(super) fn insert(&mut self, query: Query, params: impl Params) -> Result<i64, SqliteError> {
        Ok(self.get(query)?.insert(params)?)
    }

    /// The first row, if there is one.
    pub(super) fn row<T>(
        &mut self,
        query: Query,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, SqliteError>,
    ) -> Result<Option<T>, SqliteError> {
        let mut rows = self.get(query)?.query(params)?;
        rows.next()?.map(read).transpose()
    }

    pub(super) fn rows<T>(
        &mut self,
        query: Query,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, SqliteError>,
    ) -> Result<Vec<T>, SqliteError> {
        let mut rows = self.get(query)?.query(params)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }
}
