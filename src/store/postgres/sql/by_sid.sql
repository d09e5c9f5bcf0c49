SELECT t.ord, @ledger_columns@
FROM unnest($1::bytea[]) WITH ORDINALITY AS t(sid, ord)
    JOIN @schema@.message m ON m.sid = t.sid
    @ledger_joins@
