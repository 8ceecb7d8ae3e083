//! Whether somebody may come in, pure: from the status of their profile, the removals of their
//! directory users that were acknowledged and are not settled (R91), the hold these may wait in (R40),
//! and whether their organization was deleted (R84). One decision and one reason: the most telling.

use crate::workos::OrderKey;

use super::lifecycle::Status;

/// Whether somebody may come in, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// They may.
    Allowed(Status),
    /// They may not.
    Refused(Refusal),
}

/// Why somebody may not come in; the later one tells more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Their status gives no access.
    Status(Status),
    /// They are on leave, and their organization lets nobody in who is (R34).
    OnLeave,
    /// Their organization was deleted in WorkOS (R84).
    OrganizationDeleted,
    /// Their removal was acknowledged and is not settled.
    Termination(Stage),
}

/// How far a removal came that is not settled; the later one tells more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It waits for the worker, for the first time or again.
    Waiting,
    /// It could not be applied and was given up: an operator replays or discards it.
    Failed,
    /// It waits for an operator's decision, in this hold.
    Held(Option<String>),
}

/// A removal of a directory user that was acknowledged and is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRemoval {
    /// Where it belongs in the order of events.
    pub key: OrderKey,
    /// How far it came.
    pub stage: Stage,
    /// It does not count: an operator took it back, or staged removals keep access in this organization.
    pub waived: bool,
}

/// A directory user that makes its person work there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LivingLink {
    /// The applied step that last spoke of its life; it need not be known where there is no removal.
    pub life: Option<OrderKey>,
    /// Its removals that are not settled.
    pub removals: Vec<PendingRemoval>,
}

impl LivingLink {
    /// How far the removal came that takes this link's word away, if one does. Only a newer word about its
    /// life that was applied makes a removal void (R91): neither one that waits itself, nor the order of
    /// arrival.
    fn termination(&self) -> Option<&Stage> {
        self.removals
            .iter()
            .filter(|removal| {
                !removal.waived && self.life.as_ref().is_none_or(|life| removal.key > *life)
            })
            .map(|removal| &removal.stage)
            .max()
    }
}

/// What the decision is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The status of the profile.
    pub status: Status,
    /// The links that make them work there.
    pub living: Vec<LivingLink>,
    /// Their organization lets nobody in who is on leave.
    pub shut_on_leave: bool,
    /// Their organization was deleted, and nobody decided to keep its people.
    pub organization_deleted: bool,
}

/// Whether somebody may come in.
pub fn access(standing: &Standing) -> Access {
    if !standing.status.has_access() {
        return Access::Refused(Refusal::Status(standing.status));
    }
    if let Some(stage) = termination(&standing.living) {
        return Access::Refused(Refusal::Termination(stage));
    }
    if standing.organization_deleted {
        return Access::Refused(Refusal::OrganizationDeleted);
    }
    if standing.status == Status::OnLeave && standing.shut_on_leave {
        return Access::Refused(Refusal::OnLeave);
    }
    Access::Allowed(standing.status)
}

/// The stage that tells most, where every living link has a termination; one link without keeps access (R35).
fn termination(living: &[LivingLink]) -> Option<Stage> {
    let mut stages = Vec::new();
    for link in living {
        stages.push(link.termination()?);
    }
    stages.into_iter().max().cloned()
}

impl Access {
    /// Whether they may come in.
    pub fn allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Whether access is withheld until an operator decides, though the person was not removed (R40, R84).
    pub fn suspended(&self) -> bool {
        matches!(
            self,
            Self::Refused(
                Refusal::OrganizationDeleted | Refusal::Termination(Stage::Held(_) | Stage::Failed)
            )
        )
    }

    /// Whether a termination was received that has not been looked at.
    pub fn waits(&self) -> bool {
        *self == Self::Refused(Refusal::Termination(Stage::Waiting))
    }

    /// The reason, as `/v1/access` tells it.
    pub fn reason(&self) -> String {
        match self {
            Self::Allowed(status) | Self::Refused(Refusal::Status(status)) => {
                status.as_str().to_owned()
            }
            Self::Refused(Refusal::OnLeave) => Status::OnLeave.as_str().to_owned(),
            Self::Refused(Refusal::OrganizationDeleted) => {
                "suspended: the organization was deleted in WorkOS".to_owned()
            }
            Self::Refused(Refusal::Termination(stage)) => match stage {
                Stage::Waiting => "termination received".to_owned(),
                Stage::Failed => {
                    "termination received: it could not be applied and waits for an operator"
                        .to_owned()
                }
                Stage::Held(Some(hold)) => {
                    format!("termination received: suspended until hold {hold} is decided")
                }
                Stage::Held(None) => {
                    "termination received: suspended until an operator decides".to_owned()
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Timestamp;

    use super::*;

    fn key(at: i64, removal: bool, id: &str) -> OrderKey {
        OrderKey {
            at: Timestamp(at),
            removal,
            event_id: id.to_owned(),
        }
    }

    fn removal(at: i64, stage: Stage) -> PendingRemoval {
        PendingRemoval {
            key: key(at, true, "event_5"),
            stage,
            waived: false,
        }
    }

    fn link(removals: Vec<PendingRemoval>) -> LivingLink {
        LivingLink {
            life: Some(key(10, false, "event_7")),
            removals,
        }
    }

    fn of(living: Vec<LivingLink>) -> Access {
        access(&Standing {
            status: Status::Active,
            living,
            shut_on_leave: false,
            organization_deleted: false,
        })
    }

    fn refused(stage: Stage) -> Access {
        Access::Refused(Refusal::Termination(stage))
    }

    #[test]
    fn r91_whatever_a_removal_waits_for_access_is_refused() {
        for stage in [
            Stage::Waiting,
            Stage::Failed,
            Stage::Held(None),
            Stage::Held(Some("hold_1".to_owned())),
        ] {
            let said = of(vec![link(vec![removal(11, stage.clone())])]);
            assert_eq!(said, refused(stage));
            assert!(said.reason().contains("termination received"));
        }
    }

    #[test]
    fn r91_an_older_removal_that_comes_late_refuses_nobody_whom_a_newer_word_lets_in() {
        assert!(of(vec![link(vec![removal(9, Stage::Waiting)])]).allowed());
        assert!(
            !of(vec![link(vec![
                removal(9, Stage::Waiting),
                removal(11, Stage::Waiting)
            ])])
            .allowed()
        );
    }

    #[test]
    fn r66_of_a_removal_and_a_return_in_one_instant_the_removal_refuses() {
        // Also where its event id is the smaller one.
        assert!(!of(vec![link(vec![removal(10, Stage::Waiting)])]).allowed());
    }

    #[test]
    fn r35_r91_one_link_without_a_removal_keeps_access_and_all_with_one_do_not() {
        let ended = || link(vec![removal(11, Stage::Waiting)]);
        assert!(of(vec![ended(), link(Vec::new())]).allowed());
        assert!(!of(vec![ended(), ended()]).allowed());
        assert!(of(Vec::new()).allowed());
    }

    #[test]
    fn r40_what_an_operator_took_back_or_a_setting_keeps_refuses_nobody() {
        let waived = PendingRemoval {
            waived: true,
            ..removal(11, Stage::Held(None))
        };
        assert!(of(vec![link(vec![waived])]).allowed());
    }

    #[test]
    fn r40_r84_r91_the_most_telling_of_several_reasons_is_given() {
        let held = Stage::Held(Some("hold_1".to_owned()));
        let removals = vec![
            removal(11, Stage::Waiting),
            removal(12, held.clone()),
            removal(13, Stage::Failed),
        ];
        let standing = Standing {
            status: Status::OnLeave,
            living: vec![link(removals)],
            shut_on_leave: true,
            organization_deleted: true,
        };
        assert_eq!(access(&standing), refused(held));
        let without = Standing {
            living: vec![link(Vec::new())],
            ..standing.clone()
        };
        assert_eq!(
            access(&without),
            Access::Refused(Refusal::OrganizationDeleted)
        );
        let removed = Standing {
            status: Status::Removed,
            ..standing
        };
        assert_eq!(
            access(&removed),
            Access::Refused(Refusal::Status(Status::Removed))
        );
    }

    #[test]
    fn r34_who_is_on_leave_comes_in_where_the_organization_lets_them() {
        let mut standing = Standing {
            status: Status::OnLeave,
            living: vec![link(Vec::new())],
            shut_on_leave: false,
            organization_deleted: false,
        };
        assert_eq!(access(&standing), Access::Allowed(Status::OnLeave));
        standing.shut_on_leave = true;
        assert_eq!(access(&standing), Access::Refused(Refusal::OnLeave));
        assert_eq!(access(&standing).reason(), "on_leave");
    }
}
