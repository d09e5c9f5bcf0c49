-- What recording, confirming and delivering need. Times are milliseconds since
-- the Unix epoch; SIDs are packed: a byte for SM or MM (message SIDs only), 16
-- bytes of digits, and 4 more if any of them is an upper-case letter.
CREATE TABLE @schema@.migration (
    version int4 PRIMARY KEY,
    -- The oldest version of the library's statements that works with it.
    compatible_from int4 NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE @schema@.account (
    id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sid bytea NOT NULL UNIQUE
);
-- What messages have in common: a number each, instead of a copy each.
CREATE TABLE @schema@.source (
    id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account int4 NOT NULL REFERENCES @schema@.account (id),
    base_url text NOT NULL,
    label text,
    UNIQUE NULLS NOT DISTINCT (account, base_url, label)
);
CREATE SEQUENCE @schema@.message_id;
CREATE SEQUENCE @schema@.entry_id;
-- Eight columns: the null bitmap of a ninth would cost eight bytes a row. No
-- index holds a column that a confirm changes, so that confirms are HOT: a page
-- has room for what each of its rows gains by it.
CREATE TABLE @schema@.message (
    -- In the order of arrival.
    id int8 NOT NULL,
    sent_at int8 NOT NULL,
    expires_at int8 NOT NULL,
    confirmed_at int8,
    -- The message's id in outbox, delivered or dead_letter.
    entry int8,
    source int4 NOT NULL,
    -- A keyed hash of the correlation id, never the id.
    key uuid NOT NULL,
    sid bytea PRIMARY KEY
) WITH (fillfactor = 80);
CREATE INDEX message_key ON @schema@.message (key);
-- Half of each page is left for the one update that a lease makes, so that it
-- is HOT: neither held_until nor token is in an index.
CREATE TABLE @schema@.outbox (
    id int8 PRIMARY KEY,
    confirmed_at int8 NOT NULL,
    due_at int8 NOT NULL,
    held_until int8 NOT NULL DEFAULT 0,
    token int8,
    account int4 NOT NULL,
    source int4 NOT NULL,
    attempts int4 NOT NULL DEFAULT 0,
    not_found int4 NOT NULL DEFAULT 0,
    sid bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX outbox_due ON @schema@.outbox (account, due_at, id);
CREATE TABLE @schema@.delivered (
    id int8 PRIMARY KEY,
    delivered_at int8 NOT NULL,
    keep_until int8 NOT NULL,
    attempts int4 NOT NULL,
    not_found int4 NOT NULL,
    sid bytea NOT NULL
);
CREATE TABLE @schema@.dead_letter (
    id int8 NOT NULL,
    died_at int8 NOT NULL,
    keep_until int8 NOT NULL,
    attempts int4 NOT NULL,
    not_found int4 NOT NULL,
    failure int2 NOT NULL,
    http_status int4,
    code int8,
    sid bytea PRIMARY KEY
);
INSERT INTO @schema@.migration (version, compatible_from) VALUES (1, 1);
