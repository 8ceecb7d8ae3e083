//! What happens, step by step. Every line that claims something was read back from the service
//! after it happened; a claim that does not hold is told as such, and ends the demo with 1.

use std::time::Duration;

use super::company::{self, Event, ORGANIZATION, Person};
use super::look::{self, Headcount};
use super::opening;
use super::stage::{Answer, Stage, span};
use super::tell::Teller;
use crate::cli::Failure;
use crate::clock::Timestamp;
use crate::domain::Role as Seat;
use crate::operations::access::{self, AccessQuery, AccessView};
use crate::operations::communities::{self, CommunityView};
use crate::operations::events::EventDetail;
use crate::operations::profiles::{self, ProfileView};

/// How much older the update is that comes too late.
const EARLIER: Duration = Duration::from_secs(60);

/// The story, its cast and where it is played.
pub(super) struct Play<'a> {
    pub(super) stage: &'a Stage,
    pub(super) tell: &'a Teller<'a>,
    /// How far the story is ahead of the clock, should that one be behind the import.
    ahead: Duration,
    everybody: CommunityView,
    lab: CommunityView,
}

impl<'a> Play<'a> {
    /// The import, which greets nobody; then communities, and messaging is turned on.
    pub(super) async fn open(stage: &'a Stage, tell: &'a Teller<'a>) -> Result<Self, Failure> {
        opening::import(stage, tell).await?;
        let (everybody, lab) = opening::found_communities(stage, tell).await?;
        opening::enable_messaging(stage, tell).await?;
        Ok(Self {
            stage,
            tell,
            ahead: company::ahead(stage.now()),
            everybody,
            lab,
        })
    }

    /// Everything after the import; answers the id of the person it is about.
    pub(super) async fn act(&self) -> Result<String, Failure> {
        let at = self.now();
        let imani = Person::hired(at);
        let hire = imani.created(at);
        let id = self.hire(&imani, &hire).await?;
        let imani = self.moves(imani, &id).await?;
        self.duplicate(&hire, &id).await?;
        self.out_of_order().await?;
        self.forged(&imani).await?;
        self.termination(&imani, &id).await?;
        self.rehire(imani, &id).await?;
        Ok(id)
    }

    async fn hire(&self, imani: &Person, hire: &Event) -> Result<String, Failure> {
        self.tell.step("A hire").await;
        self.tell.say(
            "sent",
            &format!(
                "{}: {}, {}, {}",
                hire.kind,
                imani.name(),
                imani.title,
                imani.department
            ),
        );
        let event = self.send(hire, "applied").await?;
        let id = event.event.profile_id.clone().unwrap_or_default();
        let person = self.person(&id)?;
        self.tell.claim(
            person.status == "active" && person.access,
            &format!(
                "{} is in People, {} of them now",
                person.display_name,
                self.head()?.active
            ),
        );
        self.claim_access(imani.email, true)?;
        let messages = self.stage.messages(&id).await?;
        let channels: Vec<&str> = messages.iter().map(|one| one.channel.as_str()).collect();
        self.tell.claim(
            channels.len() == 3 && messages.iter().all(|one| one.state == "sent"),
            &format!(
                "welcomed once: {} (captured, since this is a demo)",
                channels.join(", ")
            ),
        );
        let now = self.stage.now();
        self.stage.write(|conn| {
            communities::put_member(
                conn,
                &self.stage.actor,
                &self.everybody.id,
                &id,
                Seat::Member,
                now,
            )?;
            communities::put_member(conn, &self.stage.actor, &self.lab.id, &id, Seat::Admin, now)
        })?;
        self.tell.say(
            "by hand",
            &format!(
                "joins {} and becomes an admin of {}",
                self.everybody.name, self.lab.name
            ),
        );
        Ok(id)
    }

    async fn moves(&self, imani: Person, id: &str) -> Result<Person, Failure> {
        let imani = imani.moved("Product Specialist", "Sales");
        self.tell.step("A move to another department").await;
        let event = imani.updated(self.now());
        self.tell.say(
            "sent",
            &format!(
                "{}: {}, now {}, {}",
                event.kind,
                imani.name(),
                imani.title,
                imani.department
            ),
        );
        let done = self.send(&event, "applied").await?;
        for change in done.changes.iter().filter(|change| change.what == "field") {
            let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "nothing".to_owned());
            self.tell.say(
                "changed",
                &format!(
                    "{}: {} -> {}",
                    change.name,
                    word(&change.old),
                    word(&change.new)
                ),
            );
        }
        let person = self.person(id)?;
        self.tell.claim(
            person.title.as_deref() == Some(imani.title)
                && person.department.as_deref() == Some(imani.department)
                && done.deliveries.is_empty(),
            "the profile says so, and nobody was messaged",
        );
        Ok(imani)
    }

    async fn duplicate(&self, hire: &Event, id: &str) -> Result<(), Failure> {
        self.tell
            .step("A duplicate: WorkOS delivers the hire once more")
            .await;
        let (before, known) = (self.person(id)?, self.known()?);
        let answer = self.stage.post(&hire.body).await?;
        self.tell.say("answer", &answer.told());
        self.tell.claim(
            answer.is(200, "duplicate"),
            "taken, so that WorkOS does not send it again, and known",
        );
        let (after, messages) = (self.person(id)?, self.stage.messages(id).await?);
        self.tell.claim(
            after.updated_at == before.updated_at
                && after.title == before.title
                && self.known()? == known
                && messages.len() == 3,
            &format!(
                "changed nothing: still {}, still {} messages",
                after.title.unwrap_or_default(),
                messages.len()
            ),
        );
        Ok(())
    }

    async fn out_of_order(&self) -> Result<(), Failure> {
        self.tell
            .step("Two updates in the wrong order: the older one comes last")
            .await;
        let now = self.now();
        let older = Person::matej()
            .promoted("Senior Firmware Engineer")
            .updated(now.minus(EARLIER));
        let newer = Person::matej().promoted("Firmware Team Lead").updated(now);
        self.tell.say(
            "sent",
            "dsync.user.updated: Matej Šťastný is Firmware Team Lead",
        );
        let done = self.send(&newer, "applied").await?;
        self.tell.say(
            "sent",
            "dsync.user.updated, a minute older: Senior Firmware Engineer",
        );
        self.send(&older, "stale").await?;
        let person = self.person(done.event.profile_id.as_deref().unwrap_or_default())?;
        let title = person.title.unwrap_or_default();
        self.tell.claim(
            title == "Firmware Team Lead",
            &format!("{} stays {title}", person.display_name),
        );
        Ok(())
    }

    async fn forged(&self, imani: &Person) -> Result<(), Failure> {
        self.tell
            .step("A forgery: a deactivation signed with another secret")
            .await;
        let known = self.known()?;
        let event = imani.deactivated(self.now());
        let signature =
            crate::workos::sign("not-the-secret", self.stage.now(), event.body.as_bytes());
        let answer = self.stage.post_signed(&event.body, &signature).await?;
        self.tell.say("answer", &answer.told());
        self.tell.claim(
            answer.status == 401 && self.known()? == known,
            "refused, and nothing of it was stored",
        );
        self.claim_access(imani.email, true)
    }

    async fn termination(&self, imani: &Person, id: &str) -> Result<(), Failure> {
        self.tell.step("A termination").await;
        let event = imani.deactivated(self.now());
        let before = self.head()?;
        self.tell.say(
            "sent",
            &format!("{}: {}, state inactive", event.kind, imani.name()),
        );
        let done = self.send(&event, "applied").await?;
        let (person, head) = (self.person(id)?, self.head()?);
        self.tell.claim(
            person.status == "removed" && head.active + 1 == before.active,
            &format!("gone from People, where {} remain", head.active),
        );
        let left: Vec<String> = done
            .changes
            .iter()
            .filter(|change| change.what == "membership" && change.new.is_none())
            .map(|change| self.community(&change.name))
            .collect();
        self.tell.claim(
            person.communities.is_empty() && left.len() == 2,
            &format!(
                "out of every community in the same transaction: {}",
                left.join(" and ")
            ),
        );
        self.claim_access(imani.email, false)
    }

    async fn rehire(&self, imani: Person, id: &str) -> Result<(), Failure> {
        self.tell
            .step("A return: a new directory user, the same person in Okta")
            .await;
        let at = self.now();
        let imani = imani.returned(at);
        let event = imani.created(at);
        self.tell
            .say("sent", &format!("{}: {}, active", event.kind, imani.name()));
        let done = self.send(&event, "applied").await?;
        let person = self.person(id)?;
        self.tell.claim(
            done.event.profile_id.as_deref() == Some(id) && person.status == "active",
            &format!(
                "the same profile, restored, with {} directory users behind it",
                person.links.len()
            ),
        );
        let seats: Vec<String> = person
            .communities
            .iter()
            .map(|one| format!("{} as {}", one.name, one.role))
            .collect();
        self.tell.claim(
            person.communities.len() == 2
                && person.communities.iter().all(|one| one.role == "member"),
            &format!(
                "back in {}: the admin role is restored by hand",
                seats.join(", ")
            ),
        );
        self.claim_access(imani.email, true)?;
        let messages = self.stage.messages(id).await?;
        self.tell.claim(
            messages.len() == 3,
            &format!(
                "not greeted a second time: still {} messages",
                messages.len()
            ),
        );
        Ok(())
    }

    /// Posts an event, waits for what comes of it, and tells both.
    async fn send(&self, event: &Event, outcome: &str) -> Result<EventDetail, Failure> {
        let answer: Answer = self.stage.post(&event.body).await?;
        self.tell.say("answer", &answer.told());
        let done = self.stage.settled(&event.id).await?;
        let took = done
            .event
            .settled_at
            .map_or(Duration::ZERO, |at| at.since(done.event.received_at));
        let (got, why) = (
            done.event.outcome.clone().unwrap_or_default(),
            done.event.reason.clone().unwrap_or_default(),
        );
        self.tell.claim(
            answer.is(200, "accepted") && got == outcome,
            &format!("{got}: {why} ({} after receipt)", span(took)),
        );
        Ok(done)
    }

    fn claim_access(&self, email: &str, allowed: bool) -> Result<(), Failure> {
        let query = AccessQuery {
            organization_id: Some(ORGANIZATION.to_owned()),
            email: Some(email.to_owned()),
            profile_id: None,
        };
        let got: AccessView = self
            .stage
            .read(|conn| access::access(conn, &self.stage.actor, &query))?;
        let word = if got.allowed { "allowed" } else { "refused" };
        self.tell.claim(
            got.allowed == allowed,
            &format!("access is {word}: {}", got.reason),
        );
        Ok(())
    }

    fn person(&self, id: &str) -> Result<ProfileView, Failure> {
        self.stage
            .read(|conn| profiles::show(conn, &self.stage.actor, id))
    }

    fn head(&self) -> Result<Headcount, Failure> {
        look::headcount(self.stage)
    }

    fn known(&self) -> Result<usize, Failure> {
        Ok(look::events(self.stage)?.len())
    }

    fn community(&self, id: &str) -> String {
        let all = [&self.everybody, &self.lab];
        all.iter()
            .find(|one| one.id == id)
            .map_or_else(|| id.to_owned(), |one| one.name.clone())
    }

    /// Now, in the story.
    fn now(&self) -> Timestamp {
        self.stage.now().plus(self.ahead)
    }
}
