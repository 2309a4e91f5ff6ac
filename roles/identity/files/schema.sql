-- What LemonLDAP::NG keeps, as its own sessions.pg.sql has it, and the accounts. May be run again.
SET client_min_messages = warning;
DO $$ BEGIN
    IF to_regnamespace('identity') IS NULL THEN
        CREATE SCHEMA identity;
    END IF;
END $$;

-- Who is logged in. Not written to the log: after a crash, all log in again.
CREATE UNLOGGED TABLE IF NOT EXISTS sessions (id varchar(64) PRIMARY KEY, a_session jsonb);
CREATE INDEX IF NOT EXISTS sessions_trace ON sessions ((a_session ->> '_whatToTrace'));
CREATE INDEX IF NOT EXISTS sessions_kind ON sessions ((a_session ->> '_session_kind'));
CREATE INDEX IF NOT EXISTS sessions_time ON sessions ((cast(a_session ->> '_utime' AS bigint)));
CREATE INDEX IF NOT EXISTS sessions_address ON sessions ((a_session ->> 'ipAddr'));
CREATE INDEX IF NOT EXISTS sessions_type ON sessions ((a_session ->> '_httpSessionType'));

-- What is kept of each person: second factors, and the last logins.
CREATE TABLE IF NOT EXISTS psessions (id varchar(64) PRIMARY KEY, a_session jsonb);
CREATE INDEX IF NOT EXISTS psessions_uid ON psessions ((a_session ->> '_session_uid'));
CREATE INDEX IF NOT EXISTS psessions_kind ON psessions ((a_session ->> '_session_kind'));
CREATE INDEX IF NOT EXISTS psessions_trace ON psessions ((a_session ->> '_whatToTrace'));
CREATE INDEX IF NOT EXISTS psessions_handle ON psessions ((a_session ->> '_webAuthnUserHandle'));

-- declared: the hash of the list of accounts, as opposed to the one that a person has chosen since.
CREATE TABLE IF NOT EXISTS accounts (
    name varchar(128) PRIMARY KEY,
    password varchar(256) NOT NULL CHECK (password LIKE '$6$%'),
    declared varchar(256) NOT NULL,
    role varchar(32) NOT NULL,
    kind varchar(16) NOT NULL,
    mail varchar(256)
);

-- An account that is changed or removed is logged out.
CREATE OR REPLACE FUNCTION end_sessions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM identity.sessions WHERE a_session ->> '_whatToTrace' = OLD.name;
    IF TG_OP = 'DELETE' THEN
        DELETE FROM identity.psessions WHERE a_session ->> '_session_uid' = OLD.name;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER end_sessions AFTER UPDATE OF password, role, kind OR DELETE ON accounts
    FOR EACH ROW EXECUTE FUNCTION end_sessions();

-- LemonLDAP::NG reads the last wrong passwords of an account, adds one and writes all of them. Of several that are tried at the same time,
-- it would count one: here, a new one is added to those that are there now. Two of one address in the same second look like one; nginx
-- counts each of them for the address.
CREATE OR REPLACE FUNCTION keep_failures() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept jsonb := OLD.a_session -> '_loginHistory' -> 'failedLogin';
    latest jsonb := NEW.a_session -> '_loginHistory' -> 'failedLogin' -> 0;
BEGIN
    IF kept IS NULL OR NEW.a_session -> '_loginHistory' IS NULL THEN
        RETURN NEW;
    END IF;
    IF latest IS NOT NULL AND NOT kept @> jsonb_build_array(latest) THEN
        kept := jsonb_build_array(latest) || kept;
    END IF;
    SELECT coalesce(jsonb_agg(failure ORDER BY number), '[]') INTO kept
        FROM jsonb_array_elements(kept) WITH ORDINALITY AS each(failure, number) WHERE number <= 100;
    NEW.a_session := jsonb_set(NEW.a_session, '{_loginHistory,failedLogin}', kept);
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER keep_failures BEFORE UPDATE ON psessions FOR EACH ROW EXECUTE FUNCTION keep_failures();
