-- Values, and the keys by which people meet, are cleaned in another way: everybody is folded again from what was
-- said of them, as after a change of the mapping, by a job for each organization.
INSERT INTO jobs (id, kind, organization_id, state, payload, cursor, result, total, done, attempts, created_by,
    created_at, available_at, updated_at, lease_token)
SELECT 'job_' || replace(gen_random_uuid()::text, '-', ''), 'fields.reapply', o.id, 'ready', '{}', '{}', '{}',
    (SELECT count(*) FROM links l WHERE l.organization_id = o.id), 0, 0, 'upgrade',
    (extract(epoch FROM now()) * 1000000)::bigint, 0,
    (extract(epoch FROM now()) * 1000000)::bigint, 0
FROM organizations o
WHERE EXISTS (SELECT 1 FROM links l WHERE l.organization_id = o.id)
   OR EXISTS (SELECT 1 FROM opt_outs a WHERE a.organization_id = o.id);
