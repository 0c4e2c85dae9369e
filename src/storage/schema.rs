//! The tables as Diesel sees them; the same for both databases.

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    nodes (id) {
        id -> Binary,
        version -> Text,
        started_at -> BigInt,
        seen_at -> BigInt,
        settings -> Text,
    }
}

diesel::table! {
    scopes (name) {
        name -> Text,
        title -> Text,
        description -> Text,
        sensitive -> Bool,
    }
}

diesel::table! {
    apis (uri) {
        uri -> Text,
        title -> Text,
    }
}

diesel::table! {
    clients (client_id) {
        client_id -> Text,
        name -> Text,
        auth_method -> Text,
        secret_hash -> Nullable<Binary>,
        previous_secret_hash -> Nullable<Binary>,
        previous_secret_until -> Nullable<BigInt>,
        redirect_uris -> Text,
        grant_types -> Text,
        scope -> Text,
        audiences -> Text,
        jwks -> Nullable<Text>,
        application_type -> Text,
        pkce -> Text,
        id_token_alg -> Nullable<Text>,
        client_uri -> Nullable<Text>,
        policy_uri -> Nullable<Text>,
        tos_uri -> Nullable<Text>,
        logo_type -> Nullable<Text>,
        status -> Text,
        version -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        party -> Text,
        resources -> Text,
        consent -> Text,
        method_check -> Text,
        assertion_audience -> Text,
        id_token_claims -> Text,
        refresh -> Text,
    }
}

diesel::table! {
    client_logos (client_id) {
        client_id -> Text,
        content_type -> Text,
        image -> Binary,
    }
}

diesel::table! {
    users (id) {
        id -> Binary,
        username -> Text,
        email -> Nullable<Text>,
        email_verified_at -> Nullable<BigInt>,
        name -> Nullable<Text>,
        role -> Text,
        status -> Text,
        password_hash -> Nullable<Text>,
        password_changed_at -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        given_name -> Nullable<Text>,
        family_name -> Nullable<Text>,
        access_version -> BigInt,
    }
}

diesel::table! {
    erased_users (id) {
        id -> Binary,
        erased_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        secret_hash -> Binary,
        user_id -> Binary,
        auth_time -> BigInt,
        created_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        user_agent -> Text,
        address -> Text,
        client_id -> Nullable<Text>,
    }
}

diesel::table! {
    form_answers (id) {
        id -> Binary,
        answered_at -> BigInt,
        expires_at -> BigInt,
        answer -> Binary,
    }
}

diesel::table! {
    consents (user_id, client_id, resource) {
        user_id -> Binary,
        client_id -> Text,
        resource -> Text,
        scope -> Text,
        granted_at -> BigInt,
        updated_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    grants (id) {
        id -> Binary,
        client_id -> Text,
        user_id -> Binary,
        session_id -> Nullable<Binary>,
        scope -> Text,
        resources -> Text,
        nonce -> Nullable<Text>,
        auth_time -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        used_at -> Nullable<BigInt>,
        refreshable -> Bool,
        origin -> Text,
    }
}

diesel::table! {
    codes (id) {
        id -> Binary,
        secret_hash -> Binary,
        grant_id -> Binary,
        sent_redirect_uri -> Nullable<Text>,
        redirect_uri -> Text,
        code_challenge -> Nullable<Text>,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
        failures -> BigInt,
    }
}

diesel::table! {
    refresh_tokens (id) {
        id -> Binary,
        secret_hash -> Binary,
        grant_id -> Binary,
        parent_id -> Nullable<Binary>,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
        successor -> Nullable<Binary>,
    }
}

diesel::table! {
    access_tokens (jti) {
        jti -> Binary,
        grant_id -> Nullable<Binary>,
        client_id -> Text,
        subject -> Text,
        scope -> Text,
        audience -> Text,
        issued_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        refreshed_from -> Nullable<Binary>,
    }
}

diesel::table! {
    signing_keys (kid) {
        kid -> Text,
        algorithm -> Text,
        sealed_private_key -> Binary,
        public_jwk -> Text,
        created_at -> BigInt,
        activates_at -> BigInt,
        retired_at -> Nullable<BigInt>,
        removed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    client_assertions (client_id, jti_hash) {
        client_id -> Text,
        jti_hash -> Binary,
        expires_at -> BigInt,
    }
}

diesel::table! {
    one_time_links (id) {
        id -> Binary,
        secret_hash -> Binary,
        purpose -> Text,
        expires_at -> BigInt,
        consumed_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    throttles (name) {
        name -> Text,
        attempts -> BigInt,
        expires_at -> BigInt,
        kind -> Text,
        subject -> Text,
        network -> Text,
        full_until -> Nullable<BigInt>,
        under_way -> BigInt,
        under_way_until -> BigInt,
    }
}

diesel::table! {
    restraints (kind, subject) {
        kind -> Text,
        subject -> Text,
        reason -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    audit_events (id) {
        id -> Binary,
        at_millis -> BigInt,
        kind -> Text,
        outcome -> Text,
        client_id -> Nullable<Text>,
        subject_hash -> Nullable<Text>,
        address -> Nullable<Text>,
        request_id -> Nullable<Text>,
        detail -> Nullable<Text>,
        writer -> Nullable<Binary>,
        sequence -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        operator -> Nullable<Text>,
        hash -> Nullable<Binary>,
    }
}

diesel::table! {
    audit_checkpoints (number) {
        number -> BigInt,
        at_millis -> BigInt,
        body -> Text,
        mac -> Binary,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Binary,
        secret_hash -> Binary,
        previous_hash -> Nullable<Binary>,
        previous_until -> Nullable<BigInt>,
        name -> Text,
        client_id -> Nullable<Text>,
        user_id -> Nullable<Binary>,
        scope -> Text,
        audience -> Text,
        networks -> Text,
        rate_limit -> Nullable<BigInt>,
        created_at -> BigInt,
        rotated_at -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        last_used_address -> Nullable<Text>,
        grant_id -> Nullable<Binary>,
    }
}

diesel::table! {
    gates (id) {
        id -> Binary,
        secret_hash -> Binary,
        session_id -> Binary,
        origin -> Text,
        state_hash -> Binary,
        return_to -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        opened_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    device_codes (id) {
        id -> Binary,
        secret_hash -> Binary,
        user_code_hash -> Binary,
        client_id -> Text,
        scope -> Text,
        resources -> Text,
        code_challenge -> Nullable<Text>,
        address -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        interval_seconds -> BigInt,
        next_poll_at -> BigInt,
        failures -> BigInt,
        decided_at -> Nullable<BigInt>,
        grant_id -> Nullable<Binary>,
        ended_at -> Nullable<BigInt>,
        network -> Text,
    }
}

diesel::joinable!(access_tokens -> grants (grant_id));
diesel::joinable!(codes -> grants (grant_id));
diesel::joinable!(grants -> users (user_id));
diesel::joinable!(refresh_tokens -> grants (grant_id));
diesel::joinable!(sessions -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(
    access_tokens,
    api_keys,
    clients,
    codes,
    consents,
    gates,
    grants,
    refresh_tokens,
    sessions,
    users,
);
