-- The counters of the report. The statements of version 1 work with it.
CREATE TABLE @schema@.rollup (
    -- 1 for an hour, 2 for a day.
    resolution int2 NOT NULL,
    start int8 NOT NULL,
    account bytea NOT NULL,
    segment text NOT NULL,
    keep_until int8 NOT NULL,
    -- The first is that of number 0.
    counts int8[] NOT NULL,
    PRIMARY KEY (resolution, start, account, segment)
) WITH (fillfactor = 70);
CREATE INDEX rollup_keep_until ON @schema@.rollup (keep_until);
-- Which batch of each writer was added last.
CREATE TABLE @schema@.rollup_writer (
    writer int8 PRIMARY KEY,
    sequence int8 NOT NULL,
    keep_until int8 NOT NULL
) WITH (fillfactor = 50);
INSERT INTO @schema@.migration (version, compatible_from) VALUES (4, 1);
