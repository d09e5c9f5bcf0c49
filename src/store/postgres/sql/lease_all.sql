-- A loose index scan: a step for each account that has entries.
walk(account) AS (
    (SELECT o.account FROM @schema@.outbox o ORDER BY o.account LIMIT 1)
    UNION ALL
    SELECT (
        SELECT o.account FROM @schema@.outbox o WHERE o.account > w.account
        ORDER BY o.account LIMIT 1
    ) FROM walk w WHERE w.account IS NOT NULL
),
waiting AS (
    SELECT w.account, (-9223372036854775808)::int8 AS since FROM walk w WHERE w.account IS NOT NULL
),
