-- What status callbacks tell, and what all processes shall know. The statements of
-- version 1 work with it.
ALTER TABLE @schema@.message ADD COLUMN delivery int2, ADD COLUMN error_code int8;
CREATE TABLE @schema@.note (
    -- A keyed hash of what it is about.
    key uuid PRIMARY KEY,
    keep_until int8 NOT NULL,
    value bytea NOT NULL
);
CREATE INDEX note_keep_until ON @schema@.note (keep_until);
INSERT INTO @schema@.migration (version, compatible_from) VALUES (3, 1);
