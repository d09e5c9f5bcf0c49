DELETE FROM @schema@.outbox o WHERE o.id = ANY ($1::int8[])
