-- What status callbacks tell: how far a message was delivered, and which senders
-- are a Messaging Service's. The statements of version 1 work with it.
ALTER TABLE @schema@.message ADD COLUMN delivery int2, ADD COLUMN error_code int8;
CREATE TABLE @schema@.sender (
    -- A keyed hash of the number or address.
    key uuid PRIMARY KEY,
    service bytea NOT NULL
);
INSERT INTO @schema@.migration (version, compatible_from) VALUES (3, 1);
