-- The tables as version 1 made them, with what it had in them.
CREATE TABLE tmf_store (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version INTEGER NOT NULL,
    compatible_from INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    outbox INTEGER NOT NULL DEFAULT 0,
    dead_letters INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE tmf_account (id INTEGER PRIMARY KEY, sid BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE tmf_base_url (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE tmf_message (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    sid BLOB NOT NULL,
    account INTEGER NOT NULL,
    base_url INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tmf_message_key ON tmf_message (key, sent_at);
CREATE UNIQUE INDEX tmf_message_sid ON tmf_message (sid);
CREATE INDEX tmf_message_evictable ON tmf_message (expires_at) WHERE state <= 1;
CREATE INDEX tmf_message_dead ON tmf_message (expires_at) WHERE state = 2;
CREATE TABLE tmf_outbox (
    id INTEGER PRIMARY KEY,
    message INTEGER NOT NULL UNIQUE,
    account INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_found INTEGER NOT NULL DEFAULT 0,
    lease_token INTEGER
) STRICT;
CREATE INDEX tmf_outbox_due ON tmf_outbox (account, due_at);
CREATE TABLE tmf_settled (
    message INTEGER PRIMARY KEY,
    confirmed_at INTEGER NOT NULL,
    settled_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    not_found INTEGER NOT NULL,
    failure INTEGER,
    status INTEGER,
    code INTEGER
) STRICT;

INSERT INTO tmf_store VALUES (1, 1, 1, 4, 1, 1, 7);
-- AC00…00, and the usual base URL.
INSERT INTO tmf_account VALUES (1, zeroblob(16));
INSERT INTO tmf_base_url VALUES (1, 'https://api.twilio.com/2010-04-01');
-- Messages 1 to 4: pending, delivered, dead, queued and under the lease 7.
INSERT INTO tmf_message VALUES
    (1, x'01010101010101010101010101010101', x'0000000000000000000000000000000001', 1, 1, 1800000000000, 1800003600000, 0),
    (2, x'02020202020202020202020202020202', x'0000000000000000000000000000000002', 1, 1, 1800000000000, 1800003600000, 1),
    (3, x'03030303030303030303030303030303', x'0000000000000000000000000000000003', 1, 1, 1800000000000, 1800003600000, 2),
    (4, x'04040404040404040404040404040404', x'0000000000000000000000000000000004', 1, 1, 1800000000000, 1800003600000, 3);
INSERT INTO tmf_settled VALUES
    (2, 1800000001000, 1800000002000, 1, 0, NULL, NULL, NULL),
    (3, 1800000001000, 1800000003000, 4, 3, 2, 404, 20404);
INSERT INTO tmf_outbox VALUES (1, 4, 1, 1800000030000, 1800000001000, 1800000001000, 2, 1, 7);
