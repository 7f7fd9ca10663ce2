CREATE TABLE {p}connections (
	name text COLLATE "C" PRIMARY KEY,
	revision bigint NOT NULL,
	definition text NOT NULL,
	changed_at text NOT NULL,
	changed_by text NOT NULL
);
CREATE TABLE {p}history (
	sequence bigint PRIMARY KEY,
	name text COLLATE "C" NOT NULL,
	action text NOT NULL,
	definition text,
	changed_at text NOT NULL,
	changed_by text NOT NULL
);
CREATE INDEX {p}history_name ON {p}history (name, sequence);
