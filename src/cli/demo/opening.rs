//! How the story opens: a company is imported and nobody is greeted, an operator makes communities,
//! and messaging is turned on.

use super::company::{self, ORGANIZATION};
use super::look;
use super::stage::{Stage, span};
use super::tell::Teller;
use crate::cli::Failure;
use crate::domain::Role as Seat;
use crate::operations::OperationError;
use crate::operations::communities::{self, CommunityView, NewCommunity};
use crate::operations::organizations;
use crate::operations::profiles::ProfileView;
use crate::operations::triggers;
use crate::triggers::Policy;

/// The directory is linked and 50 people arrive, with a welcome published and messaging off.
pub(super) async fn import(stage: &Stage, tell: &Teller<'_>) -> Result<(), Failure> {
    tell.step("An import: Fernwood Optics links its Okta").await;
    let events = company::import();
    let Some((link, people)) = events.split_first() else {
        return Ok(());
    };
    stage.post(&link.body).await?;
    stage.settled(&link.id).await?;
    let now = stage.now();
    stage.write(|conn| organizations::disable_messaging(conn, &stage.actor, ORGANIZATION, now))?;
    publish_welcome(stage)?;
    tell.say(
        "before",
        "a welcome is published; messaging is off: first the people, then the messages",
    );
    let begun = std::time::Instant::now();
    let accepted = stage.post_all(people).await?;
    let acknowledged = begun.elapsed();
    stage.all_settled().await?;
    let settled = begun.elapsed();
    let count = |kind: &str| people.iter().filter(|event| event.kind == kind).count();
    let hired = count("dsync.user.created");
    tell.say(
        "sent",
        &format!(
            "{} signed webhooks: {hired} people, {} groups, {} memberships",
            people.len(),
            count("dsync.group.created"),
            count("dsync.group.user_added")
        ),
    );
    tell.claim(
        accepted == people.len(),
        &format!(
            "200 accepted for {accepted}, each after its commit, in {}",
            span(acknowledged)
        ),
    );
    let outcomes = look::outcomes(stage)?;
    let told: Vec<String> = outcomes
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    tell.claim(
        outcomes.values().sum::<usize>() == events.len(),
        &format!("worked off after {}: {}", span(settled), told.join(", ")),
    );
    let head = look::headcount(stage)?;
    tell.claim(
        head.active == hired,
        &format!("{} people in People", head.active),
    );
    let messages = look::deliveries(stage)?;
    tell.claim(
        messages == 0,
        &format!("{messages} of {} greeted", head.active),
    );
    Ok(())
}

/// Everybody in one community, the engineers in another; each with an admin.
pub(super) async fn found_communities(
    stage: &Stage,
    tell: &Teller<'_>,
) -> Result<(CommunityView, CommunityView), Failure> {
    tell.step("Communities, made by an operator").await;
    let people = look::people(stage, "active")?;
    let found = |name: &str, admin: &str, belongs: &dyn Fn(&ProfileView) -> bool| {
        let now = stage.now();
        let new = NewCommunity {
            organization_id: ORGANIZATION.to_owned(),
            name: name.to_owned(),
            rules: Vec::new(),
        };
        stage.write(|conn| -> Result<CommunityView, OperationError> {
            let id = communities::create(conn, &stage.actor, &new, now)?.id;
            for person in people.iter().filter(|person| belongs(person)) {
                let is_admin = person.email.as_deref() == Some(admin);
                let seat = if is_admin { Seat::Admin } else { Seat::Member };
                communities::put_member(conn, &stage.actor, &id, &person.id, seat, now)?;
            }
            communities::show(conn, &stage.actor, &id)
        })
    };
    let everybody = found("Fernwood", "ingrid.solheim@fernwood.example", &|_| true)?;
    let lab = found(
        "Optics Lab",
        "kwabena.oseimensah@fernwood.example",
        &|one| one.department.as_deref() == Some("Engineering"),
    )?;
    for one in [&everybody, &lab] {
        tell.claim(
            one.members > 0 && one.admins == 1,
            &format!(
                "{}: {} members and {} admin",
                one.name, one.members, one.admins
            ),
        );
    }
    Ok((everybody, lab))
}

pub(super) async fn enable_messaging(stage: &Stage, tell: &Teller<'_>) -> Result<(), Failure> {
    tell.step("Messaging is on: from now on newcomers are welcomed")
        .await;
    let now = stage.now();
    let enabled = stage
        .write(|conn| organizations::enable_messaging(conn, &stage.actor, ORGANIZATION, now))?;
    tell.claim(
        enabled.organization.messaging_enabled
            && enabled.messages_due == 0
            && look::deliveries(stage)? == 0,
        &format!(
            "{} people were there before: {} messages due",
            enabled.people, enabled.messages_due
        ),
    );
    Ok(())
}

fn publish_welcome(stage: &Stage) -> Result<(), Failure> {
    let now = stage.now();
    let body = company::welcome();
    stage.write(|conn| {
        let wanted = triggers::wanted(&stage.actor, &body, Policy::default())?;
        triggers::create(conn, &stage.actor, &wanted, now)
    })?;
    Ok(())
}
