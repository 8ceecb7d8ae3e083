-- Which webhook secret verifies what comes (R71), by its label and never by its value: how many
-- deliveries, and when the newest came. An old secret may go when its row stands still.
CREATE TABLE webhook_secret_uses (
    label TEXT NOT NULL PRIMARY KEY,
    matched BIGINT NOT NULL,
    last_matched_at BIGINT NOT NULL
);
