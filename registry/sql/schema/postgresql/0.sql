-- CREATE TABLE IF NOT EXISTS fails when two do it at once, so all wait here. The lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtext('hawser registry {p}meta'));
CREATE TABLE IF NOT EXISTS {p}meta (
	id integer PRIMARY KEY CHECK (id = 1),
	version integer NOT NULL DEFAULT 0,
	changes bigint NOT NULL DEFAULT 0,
	pruned bigint NOT NULL DEFAULT 0,
	seal text NOT NULL DEFAULT ''
);
INSERT INTO {p}meta (id) VALUES (1) ON CONFLICT DO NOTHING;
UPDATE {p}meta SET version = version WHERE id = 1;
