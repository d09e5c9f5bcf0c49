SELECT t.ord, @ledger_columns@
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS t(current, previous, ord)
    JOIN @schema@.message m ON m.key IN (t.current, t.previous)
    @ledger_joins@
ORDER BY t.ord, m.key = t.current DESC, m.sent_at DESC, m.id DESC
