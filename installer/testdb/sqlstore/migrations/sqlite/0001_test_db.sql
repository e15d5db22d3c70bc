-- Text is compared byte by byte. seq is the order of insertion; an index on a
-- column is ordered by it within a value, since every SQLite index ends in the
-- row number. Bodies are apart, so that counting and paging read narrow rows.

-- Pods, projects, test cases and scenarios.
CREATE TABLE documents (
	seq        INTEGER PRIMARY KEY,
	collection TEXT NOT NULL,
	key        TEXT NOT NULL,
	id         TEXT NOT NULL,
	UNIQUE (collection, key)
) STRICT;
CREATE INDEX documents_collection ON documents (collection);
CREATE TABLE documents_bodies (
	seq  INTEGER PRIMARY KEY,
	body TEXT NOT NULL
) STRICT;

-- Results, with the fields that are searched for: NULL unless they are text.
CREATE TABLE results (
	seq          INTEGER PRIMARY KEY,
	id           TEXT NOT NULL UNIQUE,
	pod_name     TEXT,
	project_name TEXT,
	case_name    TEXT,
	build_tag    TEXT,
	version      TEXT,
	installer    TEXT,
	scenario     TEXT,
	criteria     TEXT,
	start_date   TEXT
) STRICT;
CREATE TABLE results_bodies (
	seq  INTEGER PRIMARY KEY,
	body TEXT NOT NULL
) STRICT;
CREATE INDEX results_pod_name ON results (pod_name);
CREATE INDEX results_project_name ON results (project_name);
CREATE INDEX results_case_name ON results (case_name);
CREATE INDEX results_build_tag ON results (build_tag);
CREATE INDEX results_version ON results (version);
CREATE INDEX results_installer ON results (installer);
CREATE INDEX results_scenario ON results (scenario);
CREATE INDEX results_criteria ON results (criteria);
CREATE INDEX results_start_date ON results (start_date);

-- Deploy results: the same.
CREATE TABLE deployresults (
	seq          INTEGER PRIMARY KEY,
	id           TEXT NOT NULL UNIQUE,
	pod_name     TEXT,
	project_name TEXT,
	case_name    TEXT,
	build_tag    TEXT,
	version      TEXT,
	installer    TEXT,
	scenario     TEXT,
	criteria     TEXT,
	start_date   TEXT
) STRICT;
CREATE TABLE deployresults_bodies (
	seq  INTEGER PRIMARY KEY,
	body TEXT NOT NULL
) STRICT;
CREATE INDEX deployresults_pod_name ON deployresults (pod_name);
CREATE INDEX deployresults_project_name ON deployresults (project_name);
CREATE INDEX deployresults_case_name ON deployresults (case_name);
CREATE INDEX deployresults_build_tag ON deployresults (build_tag);
CREATE INDEX deployresults_version ON deployresults (version);
CREATE INDEX deployresults_installer ON deployresults (installer);
CREATE INDEX deployresults_scenario ON deployresults (scenario);
CREATE INDEX deployresults_criteria ON deployresults (criteria);
CREATE INDEX deployresults_start_date ON deployresults (start_date);

-- How many documents have a value in a field, and the first and last of them.
-- The field '' counts all; start_day has the first ten bytes of start_date.
CREATE TABLE counters (
	collection TEXT NOT NULL,
	field      TEXT NOT NULL,
	value      TEXT NOT NULL,
	n          INTEGER NOT NULL,
	first      INTEGER NOT NULL,
	last       INTEGER NOT NULL,
	PRIMARY KEY (collection, field, value)
) STRICT, WITHOUT ROWID;

-- What the results of a build tag amount to; last is the newest of them.
CREATE TABLE campaigns (
	build_tag TEXT PRIMARY KEY,
	results   INTEGER NOT NULL,
	passed    INTEGER NOT NULL,
	failed    INTEGER NOT NULL,
	started   TEXT NOT NULL,
	stopped   TEXT NOT NULL,
	last      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX campaigns_last ON campaigns (last);

-- Tokens that may write, hashed.
CREATE TABLE tokens (
	hash BLOB PRIMARY KEY,
	name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The one row that a health check writes.
CREATE TABLE probe (
	n INTEGER NOT NULL
) STRICT;
INSERT INTO probe (n) VALUES (0);
