//! Slack's answers and what they mean for us. Sources: docs.slack.dev, "Sending messages using
//! incoming webhooks" (error table) and the error lists of `chat.postMessage` and
//! `users.lookupByEmail`. Pure.
//!
//! | answer | outcome |
//! | --- | --- |
//! | 2xx, `ok: true` | sent |
//! | 429, `ratelimited`; 503, `service_unavailable` | later, with `Retry-After` for the whole destination |
//! | other 5xx, `fatal_error`, `internal_error` ("some aspect of the operation" may have succeeded) | unknown |
//! | token, scope, workspace or channel closed; 401, 403, 404, 410, redirects | refused destination |
//! | anything else said no to | refused message |

use std::time::Duration;

use reqwest::StatusCode;

use crate::triggers::Outcome;

/// Where a bot posts: a room of many, or one person's. A person's closed room closes no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Channel,
    Direct,
}

/// The token, the app or the workspace: nothing will go through until somebody acts.
const WORKSPACE: [&str; 22] = [
    "not_authed",
    "invalid_auth",
    "invalid_token",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "no_permission",
    "missing_scope",
    "not_allowed_token_type",
    "org_login_required",
    "ekm_access_denied",
    "access_denied",
    "accesslimited",
    "enterprise_is_restricted",
    "team_access_not_granted",
    "two_factor_setup_required",
    "method_deprecated",
    "deprecated_endpoint",
    "message_limit_exceeded",
    "no_team",
    "team_disabled",
    "action_prohibited",
];

/// The channel, or the incoming webhook made for it.
const CHANNEL: [&str; 11] = [
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "channel_is_archived",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_non_threadable_channel",
    "posting_to_general_channel_denied",
    "posting_to_channel_denied",
    "no_service",
    "no_service_id",
];

/// An incoming webhook's answer; `code` is its body.
pub(super) fn webhook(status: StatusCode, code: &str, retry_after: Option<Duration>) -> Outcome {
    let reason = reason(status, code);
    match status.as_u16() {
        200..=299 => Outcome::sent(reason),
        429 | 503 => Outcome::Later {
            retry_after,
            reason,
        },
        500..=599 => Outcome::unknown(reason),
        300..=399 | 401 | 403 | 404 | 410 => Outcome::refused_destination(reason),
        _ if WORKSPACE.contains(&code) || CHANNEL.contains(&code) => {
            Outcome::refused_destination(reason)
        }
        _ => Outcome::refused_message(reason),
    }
}

/// The answer of `chat.postMessage`, `ok: true` aside; `code` is its `error`, empty where unreadable.
pub(super) fn post(
    status: StatusCode,
    code: &str,
    room: Room,
    retry_after: Option<Duration>,
) -> Outcome {
    let reason = reason(status, code);
    match (status.as_u16(), code) {
        (429 | 503, _)
        | (
            _,
            "ratelimited"
            | "rate_limited"
            | "service_unavailable"
            | "team_added_to_org"
            | "request_timeout",
        ) => Outcome::Later {
            retry_after,
            reason,
        },
        (500..=599, _) | (_, "fatal_error" | "internal_error") | (200..=299, "") => {
            Outcome::unknown(reason)
        }
        (300..=399 | 401 | 403 | 404, _) => Outcome::refused_destination(reason),
        (_, code) if WORKSPACE.contains(&code) => Outcome::refused_destination(reason),
        (_, code) if room == Room::Channel && CHANNEL.contains(&code) => {
            Outcome::refused_destination(reason)
        }
        _ => Outcome::refused_message(reason),
    }
}

/// The answer of `users.lookupByEmail` that named no user. Nothing was posted yet, so that all but
/// a closed workspace is later.
pub(super) fn lookup(status: StatusCode, code: &str, retry_after: Option<Duration>) -> Outcome {
    let reason = format!("users.lookupByEmail: {}", reason(status, code));
    if WORKSPACE.contains(&code) || matches!(status.as_u16(), 300..=399 | 401 | 403 | 404) {
        return Outcome::refused_destination(reason);
    }
    Outcome::Later {
        retry_after,
        reason,
    }
}

fn reason(status: StatusCode, code: &str) -> String {
    match code {
        "" => format!("Slack answered {}", status.as_u16()),
        _ => format!("Slack answered {} {code}", status.as_u16()),
    }
}
