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

-- Who has asked for a link by mail, to be looked at by files/images/identity/mailer.pl. What is asked for is kept without a look at whether
-- there is such an account, so that the answer says nothing about it, nor the time that it takes.
CREATE TABLE IF NOT EXISTS link_requests (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account varchar(128) NOT NULL,
    language varchar(8) NOT NULL,
    address varchar(64) NOT NULL,
    time timestamptz NOT NULL DEFAULT now()
);

CREATE OR REPLACE FUNCTION ask_for_link(account text, language text, address text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO identity.link_requests (account, language, address)
        SELECT left(account, 128), left(language, 8), left(address, 64) WHERE (SELECT count(*) FROM identity.link_requests) < 1000
$$;

-- The oldest request that is not too old, with the link, which is to be mailed before the transaction ends; nothing if there is none. Three
-- links that were mailed can be valid for an account at a time.
CREATE OR REPLACE FUNCTION take_link_request(seconds integer) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    asked identity.link_requests;
    person identity.accounts;
    link text;
BEGIN
    LOOP
        DELETE FROM identity.link_requests
            WHERE id = (SELECT id FROM identity.link_requests ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING * INTO asked;
        EXIT WHEN NOT FOUND;
        SELECT * INTO person FROM identity.accounts WHERE name = asked.account AND kind = 'person' AND mail <> '';
        CONTINUE WHEN NOT FOUND OR asked.time < now() - interval '15 minutes' OR 3 <= (SELECT count(*) FROM identity.sessions
            WHERE a_session ->> '_whatToTrace' = person.name AND a_session ? 'mailed'
                AND (a_session ->> '_utime')::bigint + identity.session_seconds() > extract(epoch FROM now()));
        link := identity.make_password_link(person.name, seconds);
        UPDATE identity.sessions SET a_session = a_session || '{"mailed": true}' WHERE id = encode(sha256(convert_to(link, 'UTF8')), 'hex');
        RETURN jsonb_build_object('account', person.name, 'mail', person.mail, 'language', asked.language, 'address', asked.address,
            'link', link);
    END LOOP;
    RETURN NULL;
END $$;
