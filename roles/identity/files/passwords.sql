-- Links with which people choose a new password. May be run again.

-- A session as LemonLDAP::NG keeps one for such a link (MailPasswordReset), except that it has the link's hash. It is the account's, so
-- that it ends with all others of the account when the password changes. Nothing for who is not a person with an account here.
CREATE OR REPLACE FUNCTION make_password_link(account text, seconds integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    link text := encode(sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')), 'hex');
    hash text := encode(sha256(convert_to(link, 'UTF8')), 'hex');
BEGIN
    IF NOT EXISTS (SELECT FROM identity.accounts WHERE name = account AND kind = 'person') THEN
        RETURN NULL;
    END IF;
    INSERT INTO identity.sessions (id, a_session) VALUES (hash, jsonb_build_object(
        '_session_id', hash, '_session_kind', 'TOKEN', '_type', 'mail', '_whatToTrace', account, 'user', account,
        '_utime', extract(epoch FROM now())::bigint + seconds - identity.session_seconds()));
    RETURN link;
END $$;
