-- Text is BYTEA: compared byte by byte whatever the collation of the database,
-- and it may hold the NUL that JSON text and keys may hold. seq is the order of
-- insertion. Bodies are apart, so that counting and paging read narrow rows.

-- Pods, projects, test cases and scenarios.
CREATE TABLE documents (
	seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	collection BYTEA NOT NULL,
	key        BYTEA NOT NULL,
	id         BYTEA NOT NULL,
	UNIQUE (collection, key)
);
CREATE INDEX documents_collection ON documents (collection, seq);
CREATE TABLE documents_bodies (
	seq  BIGINT PRIMARY KEY,
	body BYTEA NOT NULL
);

-- Results, with the fields that are searched for: NULL unless they are text.
CREATE TABLE results (
	seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id           BYTEA NOT NULL UNIQUE,
	pod_name     BYTEA,
	project_name BYTEA,
	case_name    BYTEA,
	build_tag    BYTEA,
	version      BYTEA,
	installer    BYTEA,
	scenario     BYTEA,
	criteria     BYTEA,
	start_date   BYTEA
);
CREATE TABLE results_bodies (
	seq  BIGINT PRIMARY KEY,
	body BYTEA NOT NULL
);
CREATE INDEX results_pod_name ON results (pod_name, seq);
CREATE INDEX results_project_name ON results (project_name, seq);
CREATE INDEX results_case_name ON results (case_name, seq);
CREATE INDEX results_build_tag ON results (build_tag, seq);
CREATE INDEX results_version ON results (version, seq);
CREATE INDEX results_installer ON results (installer, seq);
CREATE INDEX results_scenario ON results (scenario, seq);
CREATE INDEX results_criteria ON results (criteria, seq);
CREATE INDEX results_start_date ON results (start_date, seq);

-- Deploy results: the same.
CREATE TABLE deployresults (
	seq          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id           BYTEA NOT NULL UNIQUE,
	pod_name     BYTEA,
	project_name BYTEA,
	case_name    BYTEA,
	build_tag    BYTEA,
	version      BYTEA,
	installer    BYTEA,
	scenario     BYTEA,
	criteria     BYTEA,
	start_date   BYTEA
);
CREATE TABLE deployresults_bodies (
	seq  BIGINT PRIMARY KEY,
	body BYTEA NOT NULL
);
CREATE INDEX deployresults_pod_name ON deployresults (pod_name, seq);
CREATE INDEX deployresults_project_name ON deployresults (project_name, seq);
CREATE INDEX deployresults_case_name ON deployresults (case_name, seq);
CREATE INDEX deployresults_build_tag ON deployresults (build_tag, seq);
CREATE INDEX deployresults_version ON deployresults (version, seq);
CREATE INDEX deployresults_installer ON deployresults (installer, seq);
CREATE INDEX deployresults_scenario ON deployresults (scenario, seq);
CREATE INDEX deployresults_criteria ON deployresults (criteria, seq);
CREATE INDEX deployresults_start_date ON deployresults (start_date, seq);

-- How many documents have a value in a field, and the first and last of them.
-- The field '' counts all; start_day has the first ten bytes of start_date.
CREATE TABLE counters (
	collection BYTEA NOT NULL,
	field      BYTEA NOT NULL,
	value      BYTEA NOT NULL,
	n          BIGINT NOT NULL,
	first      BIGINT NOT NULL,
	last       BIGINT NOT NULL,
	PRIMARY KEY (collection, field, value)
);

-- What the results of a build tag amount to; last is the newest of them.
CREATE TABLE campaigns (
	build_tag BYTEA PRIMARY KEY,
	results   BIGINT NOT NULL,
	passed    BIGINT NOT NULL,
	failed    BIGINT NOT NULL,
	started   BYTEA NOT NULL,
	stopped   BYTEA NOT NULL,
	last      BIGINT NOT NULL
);
CREATE INDEX campaigns_last ON campaigns (last);

-- Tokens that may write, hashed.
CREATE TABLE tokens (
	hash BYTEA PRIMARY KEY,
	name BYTEA NOT NULL
);

-- The one row that a health check writes.
CREATE TABLE probe (
	n BIGINT NOT NULL
);
INSERT INTO probe (n) VALUES (0);
