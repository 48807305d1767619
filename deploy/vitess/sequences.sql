-- The ids that are given by the server, by table. `cache` is how many a tablet takes at a time; what it has not given when it restarts is skipped.
CREATE TABLE IF NOT EXISTS coupons_seq (id bigint unsigned NOT NULL PRIMARY KEY, next_id bigint unsigned, cache bigint unsigned) COMMENT 'vitess_sequence';
CREATE TABLE IF NOT EXISTS api_keys_seq (id bigint unsigned NOT NULL PRIMARY KEY, next_id bigint unsigned, cache bigint unsigned) COMMENT 'vitess_sequence';
CREATE TABLE IF NOT EXISTS audit_trail_seq (id bigint unsigned NOT NULL PRIMARY KEY, next_id bigint unsigned, cache bigint unsigned) COMMENT 'vitess_sequence';
CREATE TABLE IF NOT EXISTS outbox_seq (id bigint unsigned NOT NULL PRIMARY KEY, next_id bigint unsigned, cache bigint unsigned) COMMENT 'vitess_sequence';
CREATE TABLE IF NOT EXISTS webhook_deliveries_seq (id bigint unsigned NOT NULL PRIMARY KEY, next_id bigint unsigned, cache bigint unsigned) COMMENT 'vitess_sequence';
CREATE TABLE IF NOT EXISTS webhooks_seq (id bigint unsigned NOT NULL PRIMARY KEY, next_id bigint unsigned, cache bigint unsigned) COMMENT 'vitess_sequence';
INSERT IGNORE INTO coupons_seq (id, next_id, cache) VALUES (0, 1, 100);
INSERT IGNORE INTO api_keys_seq (id, next_id, cache) VALUES (0, 1, 10);
INSERT IGNORE INTO audit_trail_seq (id, next_id, cache) VALUES (0, 1, 10);
INSERT IGNORE INTO outbox_seq (id, next_id, cache) VALUES (0, 1, 100);
INSERT IGNORE INTO webhook_deliveries_seq (id, next_id, cache) VALUES (0, 1, 100);
INSERT IGNORE INTO webhooks_seq (id, next_id, cache) VALUES (0, 1, 10);
