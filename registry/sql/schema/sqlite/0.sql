-- Where there is nothing yet, and the first statement to take the lock of the database. Later versions build upon it.
CREATE TABLE IF NOT EXISTS {p}meta (
	id integer PRIMARY KEY CHECK (id = 1),
	version integer NOT NULL DEFAULT 0,
	changes bigint NOT NULL DEFAULT 0,
	pruned bigint NOT NULL DEFAULT 0,
	seal text NOT NULL DEFAULT ''
);
INSERT INTO {p}meta (id) VALUES (1) ON CONFLICT DO NOTHING;
UPDATE {p}meta SET version = version WHERE id = 1;
