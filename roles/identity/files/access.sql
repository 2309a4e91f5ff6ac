-- Access without a login of one's own: share links, bundles of modalities, tokens of programs, and who has a session. nginx asks, and sends hashes of
-- tokens, PINs and sessions only, so that none of them is in a log or a backup. May be run again.
CREATE TABLE IF NOT EXISTS shares (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    token char(64) NOT NULL UNIQUE,
    -- Of the token and the PIN together: it cannot be guessed from the database, which does not have the token.
    pin char(64),
    study varchar(64) NOT NULL,
    -- What Orthanc keeps with the study, and loses if the study is deleted.
    mark char(32) NOT NULL,
    -- Who made it, with the role of that time and, if the account is a login provider's, the provider (a mark of login_providers.py).
    account varchar(128) NOT NULL,
    role varchar(32) NOT NULL,
    provider varchar(128),
    made timestamptz NOT NULL DEFAULT now(),
    ends timestamptz NOT NULL,
    uses_allowed integer NOT NULL,
    uses integer NOT NULL DEFAULT 0,
    wrong_pins integer NOT NULL DEFAULT 0,
    revoked timestamptz
);
CREATE INDEX IF NOT EXISTS shares_account ON shares (account);
CREATE TABLE IF NOT EXISTS share_uses (
    share uuid NOT NULL REFERENCES shares ON DELETE CASCADE,
    time timestamptz NOT NULL DEFAULT now(),
    address varchar(64) NOT NULL,
    outcome varchar(16) NOT NULL
);
CREATE INDEX IF NOT EXISTS share_uses_share ON share_uses (share, time);

-- Certificate and key of a modality, encrypted with a passphrase that is nowhere here, for one download.
CREATE TABLE IF NOT EXISTS bundles (
    modality varchar(64) PRIMARY KEY,
    token char(64) NOT NULL UNIQUE,
    -- Nothing once it was downloaded, or has ended.
    content bytea,
    ends timestamptz NOT NULL,
    downloaded timestamptz
);

-- Ends sessions, as a log-out does.
CREATE OR REPLACE FUNCTION end_sessions_of(account text) RETURNS integer LANGUAGE sql AS $$
    WITH ended AS (DELETE FROM identity.sessions WHERE a_session ->> '_whatToTrace' = account RETURNING 1) SELECT count(*) FROM ended
$$;

CREATE OR REPLACE FUNCTION revoke_share(given uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE identity.shares SET revoked = coalesce(revoked, now()) WHERE id = given;
    SELECT identity.end_sessions_of('share:' || given);
$$;

-- The shares of an account that is removed, or gets another role, end with its sessions.
CREATE OR REPLACE FUNCTION revoke_shares() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.role = OLD.role THEN
        RETURN NULL;
    END IF;
    PERFORM identity.revoke_share(id) FROM identity.shares WHERE account = OLD.name AND revoked IS NULL;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER revoke_shares AFTER UPDATE OF role OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION revoke_shares();

-- Those of a login provider's account end when its person comes with another role, or without one. LemonLDAP::NG writes such a session, too,
-- before it refuses it.
CREATE OR REPLACE FUNCTION revoke_shares_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM identity.revoke_share(id) FROM identity.shares
        WHERE account = NEW.a_session ->> '_whatToTrace' AND revoked IS NULL AND role <> coalesce(NEW.a_session ->> 'role', '');
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER revoke_shares_of_session AFTER INSERT OR UPDATE ON sessions FOR EACH ROW
    WHEN (NEW.a_session ->> 'provider' <> '') EXECUTE FUNCTION revoke_shares_of_session();

-- A session as LemonLDAP::NG keeps it. It counts from _utime until its own limit, which is longer.
CREATE OR REPLACE FUNCTION begin_session(session text, account text, ends timestamptz, address text, fields jsonb) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO identity.sessions (id, a_session) VALUES (session, fields || jsonb_build_object(
        '_session_id', session, '_session_hashed', 1, '_session_kind', 'SSO', '_whatToTrace', account, '_user', account, 'uid', account,
        '_utime', extract(epoch FROM ends)::bigint - identity.session_seconds(), '_lastSeen', extract(epoch FROM now())::bigint,
        '_startTime', to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS'), 'ipAddr', address, '_auth', 'Null', 'authenticationLevel', 1))
$$;

-- What nginx asks (access.psgi): one object in, one object out.

-- A token for an account that is a program's.
CREATE OR REPLACE FUNCTION issue_token(given jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    program identity.accounts;
BEGIN
    SELECT * INTO program FROM identity.accounts WHERE name = given ->> 'account' AND kind = 'program';
    IF NOT FOUND THEN
        RETURN '{"done": false}';
    END IF;
    PERFORM identity.begin_session(given ->> 'session', program.name, now() + (given ->> 'seconds')::integer * interval '1 second',
        given ->> 'address', jsonb_build_object('role', program.role, 'kind', 'program', 'access', 'token'));
    RETURN '{"done": true}';
END $$;

CREATE OR REPLACE FUNCTION make_share(given jsonb) RETURNS jsonb LANGUAGE sql AS $$
    INSERT INTO identity.shares (token, pin, study, mark, account, role, provider, ends, uses_allowed)
        VALUES (given ->> 'token', given ->> 'pin', given ->> 'study', given ->> 'mark', given ->> 'account', given ->> 'role',
            (SELECT a_session ->> 'provider' FROM identity.sessions WHERE a_session ->> '_whatToTrace' = given ->> 'account'
                ORDER BY (a_session ->> '_utime')::bigint DESC LIMIT 1),
            now() + (given ->> 'hours')::integer * interval '1 hour', (given ->> 'uses')::integer)
        RETURNING jsonb_build_object('id', id, 'study', study, 'ends', ends, 'uses_allowed', uses_allowed, 'pin', pin IS NOT NULL)
$$;

-- Those of this account, or all.
CREATE OR REPLACE FUNCTION list_shares(given jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('shares', coalesce(jsonb_agg(jsonb_build_object(
        'id', id, 'study', study, 'account', account, 'made', made, 'ends', ends, 'revoked', revoked, 'pin', pin IS NOT NULL,
        'uses', uses, 'uses_allowed', uses_allowed,
        'open', revoked IS NULL AND ends > now() AND uses < uses_allowed,
        'log', (SELECT coalesce(jsonb_agg(to_jsonb(one) - 'share' ORDER BY time DESC), '[]')
                FROM (SELECT * FROM identity.share_uses WHERE share = shares.id ORDER BY time DESC LIMIT 50) one)
    ) ORDER BY made DESC), '[]'))
    FROM (SELECT * FROM identity.shares WHERE (given ->> 'all')::boolean OR account = given ->> 'account' ORDER BY made DESC LIMIT 500) shares
$$;

CREATE OR REPLACE FUNCTION withdraw_share(given jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    share identity.shares;
BEGIN
    SELECT * INTO share FROM identity.shares
        WHERE id = (given ->> 'id')::uuid AND ((given ->> 'all')::boolean OR account = given ->> 'account');
    PERFORM identity.revoke_share(share.id);
    RETURN jsonb_build_object('done', share.id IS NOT NULL, 'study', share.study);
END $$;

-- Opens a link: 'opened', 'pin' (it needs one), 'wrong pin' or 'ended', each of which is written down if there is such a link.
CREATE OR REPLACE FUNCTION open_share(given jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    share identity.shares;
    outcome text := 'opened';
BEGIN
    SELECT * INTO share FROM identity.shares WHERE token = given ->> 'token' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN '{"outcome": "unknown"}';
    END IF;
    IF share.revoked IS NOT NULL OR share.ends <= now() OR share.uses >= share.uses_allowed THEN
        outcome := 'ended';
    ELSIF share.pin IS NOT NULL AND given ->> 'pin' IS NULL THEN
        RETURN jsonb_build_object('outcome', 'pin', 'id', share.id, 'study', share.study);
    ELSIF share.pin <> given ->> 'pin' THEN
        outcome := 'wrong pin';
        UPDATE identity.shares SET wrong_pins = wrong_pins + 1 WHERE id = share.id RETURNING wrong_pins INTO share.wrong_pins;
        IF share.wrong_pins >= 10 THEN
            PERFORM identity.revoke_share(share.id);
        END IF;
    ELSE
        UPDATE identity.shares SET uses = uses + 1 WHERE id = share.id;
        PERFORM identity.begin_session(given ->> 'session', 'share:' || share.id, least(share.ends, now() + interval '12 hours'),
            given ->> 'address', jsonb_build_object('role', 'share', 'kind', 'share', 'access', 'share', 'study', share.study));
    END IF;
    INSERT INTO identity.share_uses (share, address, outcome) VALUES (share.id, given ->> 'address', outcome);
    RETURN jsonb_build_object('outcome', outcome, 'id', share.id, 'study', share.study, 'mark', share.mark);
END $$;

-- What a playbook brings; the modality's link from before ends. Says when this one does.
CREATE OR REPLACE FUNCTION offer_bundle(given jsonb) RETURNS text LANGUAGE sql AS $$
    INSERT INTO identity.bundles (modality, token, content, ends)
        VALUES (given ->> 'modality', given ->> 'token', decode(given ->> 'content', 'base64'), now() + interval '72 hours')
    ON CONFLICT (modality) DO UPDATE
        SET token = excluded.token, content = excluded.content, ends = excluded.ends, downloaded = NULL
    RETURNING to_char(ends AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
$$;

-- 'downloaded' with the content, once; or else 'used', 'ended' or 'unknown'.
CREATE OR REPLACE FUNCTION take_bundle(given jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    bundle identity.bundles;
BEGIN
    SELECT * INTO bundle FROM identity.bundles WHERE token = given ->> 'token' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN '{"outcome": "unknown"}';
    ELSIF bundle.downloaded IS NOT NULL THEN
        RETURN jsonb_build_object('outcome', 'used', 'modality', bundle.modality);
    ELSIF bundle.content IS NULL OR bundle.ends <= now() THEN
        RETURN jsonb_build_object('outcome', 'ended', 'modality', bundle.modality);
    END IF;
    UPDATE identity.bundles SET content = NULL, downloaded = now() WHERE modality = bundle.modality;
    RETURN jsonb_build_object('outcome', 'downloaded', 'modality', bundle.modality,
        'content', translate(encode(bundle.content, 'base64'), E'\n', ''));
END $$;

-- Asked every ten minutes (identity.sh).
CREATE OR REPLACE FUNCTION remove_ended_bundles() RETURNS void LANGUAGE sql AS $$
    UPDATE identity.bundles SET content = NULL WHERE ends <= now() AND content IS NOT NULL
$$;

-- Who is logged in. The id is that of the database, which is no key to the session.
CREATE OR REPLACE FUNCTION list_sessions(given jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('sessions', coalesce(jsonb_agg(jsonb_build_object(
        'id', id, 'account', a_session ->> '_whatToTrace', 'role', a_session ->> 'role', 'kind', coalesce(a_session ->> 'access', 'login'),
        'address', a_session ->> 'ipAddr',
        'began', to_timestamp(a_session ->> '_startTime', 'YYYYMMDDHH24MISS')::timestamp AT TIME ZONE 'UTC',
        'seen', to_timestamp((a_session ->> '_lastSeen')::bigint)) ORDER BY a_session ->> '_startTime' DESC), '[]'))
    FROM identity.sessions
    WHERE a_session ->> '_session_kind' = 'SSO' AND a_session ? '_whatToTrace'
        AND (a_session ->> '_utime')::bigint + identity.session_seconds() > extract(epoch FROM now())
$$;

-- Ends one session, or all of an account.
CREATE OR REPLACE FUNCTION end_session(given jsonb) RETURNS jsonb LANGUAGE sql AS $$
    WITH ended AS (
        DELETE FROM identity.sessions WHERE a_session ->> '_session_kind' = 'SSO' AND a_session ? '_whatToTrace'
            AND (id = given ->> 'id' OR a_session ->> '_whatToTrace' = given ->> 'account') RETURNING 1
    ) SELECT jsonb_build_object('ended', (SELECT count(*) FROM ended))
$$;

-- Until when an account is locked, by what LemonLDAP::NG keeps of it: it counts the wrong passwords of as long as a lock lasts.
CREATE OR REPLACE FUNCTION locked_until(kept jsonb) RETURNS timestamptz LANGUAGE sql AS $$
    SELECT CASE WHEN count(*) >= identity.failures_allowed() THEN to_timestamp(max(time) + identity.lockout_seconds()) END
    FROM (SELECT (failure ->> '_utime')::bigint AS time FROM jsonb_array_elements(kept #> '{_loginHistory,failedLogin}') failure) failures
    WHERE time > extract(epoch FROM now()) - identity.lockout_seconds()
$$;

-- The accounts of the list, without their passwords' hashes.
CREATE OR REPLACE FUNCTION list_accounts(given jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('accounts', coalesce(jsonb_agg(jsonb_build_object(
        'name', name, 'role', role, 'kind', kind,
        'second_factor', jsonb_array_length(coalesce(kept.a_session ->> '_2fDevices', '[]')::jsonb) > 0,
        'locked_until', identity.locked_until(kept.a_session)) ORDER BY name), '[]'))
    FROM identity.accounts LEFT JOIN identity.psessions kept ON kept.a_session ->> '_session_uid' = name
$$;
