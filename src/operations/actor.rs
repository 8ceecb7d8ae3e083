//! Who acts: a name for the audit, a role, and perhaps one organization they are limited to.

use super::OperationError;

/// What somebody may do; each role may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, replay, retry, decide, change communities and triggers.
    Operator,
    /// Everything, tokens and erasure included.
    Admin,
}

impl Role {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The token's name, `cli`, or `bootstrap`.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The one organization they may see, if they are limited to one.
    pub organization_id: Option<String>,
    /// Whether they see fields that a mapping calls sensitive; admins always do.
    pub sensitive: bool,
}

impl Actor {
    /// Whoever runs the binary beside the database may do everything; the audit names the user.
    pub fn cli() -> Self {
        let user = std::env::var("USER").unwrap_or_default();
        let name = if user.is_empty() {
            "cli".to_owned()
        } else {
            format!("cli:{user}")
        };
        Self {
            name,
            role: Role::Admin,
            organization_id: None,
            sensitive: true,
        }
    }

    /// Whoever holds the bootstrap token (`ROLLCALL_ADMIN_TOKEN`).
    pub fn bootstrap() -> Self {
        Self {
            name: "bootstrap".to_owned(),
            role: Role::Admin,
            organization_id: None,
            sensitive: true,
        }
    }

    /// What is begun because its time has come.
    pub fn schedule() -> Self {
        Self {
            name: "schedule".to_owned(),
            role: Role::Operator,
            organization_id: None,
            sensitive: false,
        }
    }

    /// Whether sensitive fields are shown to them.
    pub fn sees_sensitive(&self) -> bool {
        self.sensitive || self.role == Role::Admin
    }

    /// Refuses those of a lesser role.
    pub fn require(&self, role: Role) -> Result<(), OperationError> {
        if self.role >= role {
            return Ok(());
        }
        Err(OperationError::Forbidden(format!(
            "this needs the role {}, and the token {:?} has the role {}",
            role.as_str(),
            self.name,
            self.role.as_str()
        )))
    }

    /// Refuses those who are limited to one organization: for what belongs to all of them.
    pub fn require_unlimited(&self) -> Result<(), OperationError> {
        match &self.organization_id {
            None => Ok(()),
            Some(_) => Err(OperationError::Forbidden(
                "this token is limited to one organization".to_owned(),
            )),
        }
    }

    /// The organization a list is limited to: the actor's own, or the one asked for. Asking for
    /// another one finds nothing, as if it did not exist.
    pub fn scope(&self, asked: Option<&str>) -> Result<Option<String>, OperationError> {
        match (&self.organization_id, asked) {
            (Some(own), Some(asked)) if own != asked => {
                Err(OperationError::not_found("organization", asked))
            }
            (Some(own), _) => Ok(Some(own.clone())),
            (None, asked) => Ok(asked.map(str::to_owned)),
        }
    }

    /// Whether something of that organization may be seen.
    pub fn may_see(&self, organization: Option<&str>) -> bool {
        self.organization_id
            .as_deref()
            .is_none_or(|own| organization == Some(own))
    }
}
