SELECT t.ord, n.value
FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS t(current, previous, ord)
    JOIN @schema@.note n ON n.key IN (t.current, t.previous)
ORDER BY t.ord, n.key = t.current DESC
