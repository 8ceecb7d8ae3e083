DROP INDEX deliveries_of_step;
ALTER TABLE opt_outs RENAME TO later_opt_outs;
ALTER INDEX opt_outs_pkey RENAME TO later_opt_outs_pkey;
CREATE TABLE opt_outs (
    organization_id TEXT NOT NULL,
    address TEXT NOT NULL,
    reason TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (organization_id, address)
);
INSERT INTO opt_outs (organization_id, address, reason, created_at, created_by)
    SELECT organization_id, address, max(reason), min(created_at), min(created_by)
    FROM later_opt_outs GROUP BY organization_id, address;
DROP TABLE later_opt_outs;
ALTER TABLE profiles DROP COLUMN roles;
ALTER TABLE profiles DROP COLUMN role;
ALTER TABLE profiles DROP COLUMN start_unreadable;
