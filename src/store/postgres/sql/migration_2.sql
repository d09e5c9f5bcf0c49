-- What keeps it small: expiry that finds what is over by an index, and vacuums
-- that come before dead rows are many. The statements of version 1 work with it.
CREATE INDEX message_expires ON @schema@.message (expires_at);
CREATE INDEX delivered_keep_until ON @schema@.delivered (keep_until);
CREATE INDEX dead_letter_keep_until ON @schema@.dead_letter (keep_until);
-- The outbox turns over: its dead rows are what a lease has to step over. Its
-- file is not cut, which would lock out everybody for a moment.
ALTER TABLE @schema@.outbox SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, vacuum_truncate = false
);
ALTER TABLE @schema@.message SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.1
);
ALTER TABLE @schema@.delivered SET (
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05
);
INSERT INTO @schema@.migration (version, compatible_from) VALUES (2, 1);
