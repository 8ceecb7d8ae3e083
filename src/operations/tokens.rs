//! Tokens: made once, shown once, revoked by name. A bearer token is looked up by its SHA-256.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::db::{Conn, new_id};
use crate::store::tokens::{self, TokenRow};

use super::{Actor, OperationError, Role, audit};

/// A token as shown: never the token itself.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct TokenView {
    pub id: String,
    pub name: String,
    pub role: String,
    pub organization_id: Option<String>,
    /// Whether sensitive fields are shown.
    pub sensitive: bool,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// A new token, shown this once.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct NewToken {
    pub token: String,
    pub id: String,
    pub name: String,
    pub role: String,
    pub organization_id: Option<String>,
    /// Whether sensitive fields are shown.
    pub sensitive: bool,
}

/// How a token is found again.
pub fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Thirty-two random bytes under a prefix that secret scanners can be taught.
pub fn random_token() -> Result<String, OperationError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        OperationError::Invalid(format!("the system gave no random bytes: {error}"))
    })?;
    Ok(format!("rollcall_{}", hex::encode(bytes)))
}

/// Makes a token.
pub fn create(
    conn: &mut Conn,
    actor: &Actor,
    name: &str,
    role: Role,
    organization: Option<&str>,
    sensitive: bool,
    now: Timestamp,
) -> Result<NewToken, OperationError> {
    actor.require(Role::Admin)?;
    actor.require_unlimited()?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(OperationError::Invalid(
            "a token's name has 1 to 100 characters: it is what the audit shows".to_owned(),
        ));
    }
    let token = random_token()?;
    let row = TokenRow {
        id: new_id("token"),
        name: name.to_owned(),
        role: role.as_str().to_owned(),
        organization_id: organization.map(str::to_owned),
        digest: digest(&token),
        created_at: now,
        revoked_at: None,
        sensitive: sensitive || role == Role::Admin,
    };
    if !tokens::create(conn, &row)? {
        return Err(OperationError::Conflict(format!(
            "there is a token named {name:?} already; choose another name"
        )));
    }
    audit(
        conn,
        actor,
        "token.created",
        &row.id,
        organization,
        Some(&told(&row)),
        now,
    )?;
    Ok(NewToken {
        token,
        id: row.id,
        name: row.name,
        role: row.role,
        organization_id: row.organization_id,
        sensitive: row.sensitive,
    })
}

fn told(row: &TokenRow) -> String {
    let sees = if row.sensitive {
        ", sees sensitive fields"
    } else {
        ""
    };
    format!("{} ({}{sees})", row.name, row.role)
}

/// All tokens, revoked ones included.
pub fn list(conn: &mut Conn, actor: &Actor) -> Result<Vec<TokenView>, OperationError> {
    actor.require(Role::Admin)?;
    actor.require_unlimited()?;
    let rows = tokens::list(conn)?;
    Ok(rows
        .into_iter()
        .map(|row| TokenView {
            id: row.id,
            name: row.name,
            role: row.role,
            organization_id: row.organization_id,
            sensitive: row.sensitive,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        })
        .collect())
}

/// Ends a token by id or name.
pub fn revoke(
    conn: &mut Conn,
    actor: &Actor,
    id_or_name: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    actor.require(Role::Admin)?;
    actor.require_unlimited()?;
    if !tokens::revoke(conn, id_or_name, now)? {
        return Err(OperationError::not_found("live token", id_or_name));
    }
    audit(conn, actor, "token.revoked", id_or_name, None, None, now).map_err(OperationError::from)
}

/// Who the token of that SHA-256 stands for; `None` when it is nobody's or revoked.
pub fn authenticate(conn: &mut Conn, digest: &[u8; 32]) -> Result<Option<Actor>, OperationError> {
    let Some(row) = tokens::by_digest(conn, &hex::encode(digest))? else {
        return Ok(None);
    };
    Ok(Role::parse(&row.role).map(|role| Actor {
        name: row.name,
        role,
        organization_id: row.organization_id,
        sensitive: row.sensitive,
    }))
}
