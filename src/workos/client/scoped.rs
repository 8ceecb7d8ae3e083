//! Reading what is in a directory: by the paths below the directory where the server has them, by the
//! old ones where it has not (contract 8). A missing path and a missing thing are answered alike, with
//! 404, so no 404 of a new path is believed alone: the old path is asked for the same, and only what
//! neither has is not there. That a server does not have the new paths is remembered while the process
//! lives. All of it counts for the limit of the directory that is named.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::calls::at;
use super::{Client, ClientError, Page};

impl Client {
    /// A page of a directory's users, oldest first: who joins meanwhile comes last.
    pub async fn users_of_directory(
        &self,
        directory: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        let what = "listing users";
        let old = [("directory", directory)];
        self.page_of(
            what,
            directory,
            ("users", &[]),
            ("/directory_users", &old),
            after,
        )
        .await
    }

    /// A page of a group's users. The supported way to read edges: `user.groups` is empty now.
    pub async fn users_of_group(
        &self,
        directory: &str,
        group: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        let what = "listing a group's users";
        let new = [("group", group)];
        let old = [("directory", directory), ("group", group)];
        self.page_of(
            what,
            directory,
            ("users", &new),
            ("/directory_users", &old),
            after,
        )
        .await
    }

    /// One directory user.
    pub async fn user(&self, directory: &str, id: &str) -> Result<Value, ClientError> {
        self.thing_of(
            "reading a directory user",
            directory,
            ("users", "/directory_users"),
            id,
        )
        .await
    }

    /// A page of a directory's groups.
    pub async fn groups_of_directory(
        &self,
        directory: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        let what = "listing groups";
        let old = [("directory", directory)];
        self.page_of(
            what,
            directory,
            ("groups", &[]),
            ("/directory_groups", &old),
            after,
        )
        .await
    }

    /// One group.
    pub async fn group(&self, directory: &str, id: &str) -> Result<Value, ClientError> {
        self.thing_of(
            "reading a group",
            directory,
            ("groups", "/directory_groups"),
            id,
        )
        .await
    }

    /// All of a user's groups. There is no path below the directory that says so.
    pub async fn all_groups_of_user(&self, user: &str) -> Result<Vec<Value>, ClientError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self
                .list(
                    "listing a user's groups",
                    "/directory_groups",
                    &[("user", user)],
                    after.as_deref(),
                    None,
                )
                .await?;
            all.extend(page.data);
            if page.after.is_none() || page.after == after {
                return Ok(all);
            }
            after = page.after;
        }
    }

    async fn page_of(
        &self,
        what: &'static str,
        directory: &str,
        (name, filter): (&str, &[(&str, &str)]),
        (old, old_filter): (&str, &[(&str, &str)]),
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        let new = format!("{}/{name}", at("/directories", directory));
        let limit = Some(directory);
        let refused = match self.is_scoped() {
            true => match self.list(what, &new, filter, after, limit).await {
                Err(error) if error.is_nothing_there() => Some(error),
                done => return done,
            },
            false => None,
        };
        let page = self.list(what, old, old_filter, after, limit).await;
        // An empty page shows nothing: it may be how the old path answers for an unknown directory.
        let shows = page.as_ref().is_ok_and(|page| !page.data.is_empty());
        self.settle(refused, page, shows)
    }

    async fn thing_of(
        &self,
        what: &'static str,
        directory: &str,
        (name, old): (&str, &str),
        id: &str,
    ) -> Result<Value, ClientError> {
        let new = at(&format!("{}/{name}", at("/directories", directory)), id);
        let refused = match self.is_scoped() {
            true => match self.one(what, &new, Some(directory)).await {
                Err(error) if error.is_nothing_there() => Some(error),
                done => return done,
            },
            false => None,
        };
        let thing = self.one(what, &at(old, id), Some(directory)).await;
        let shows = thing.is_ok();
        self.settle(refused, thing, shows)
    }

    fn is_scoped(&self) -> bool {
        !self.unscoped.load(Ordering::Relaxed)
    }

    /// What the old path answered counts; `shows` that the new path, which `refused`, is not there.
    fn settle<T>(
        &self,
        refused: Option<ClientError>,
        answer: Result<T, ClientError>,
        shows: bool,
    ) -> Result<T, ClientError> {
        match (refused, answer) {
            // A server that has taken the old paths away has answered by the new one.
            (Some(refused), Err(error)) if error.is_no_such_path() => Err(refused),
            (Some(refused), answer) => {
                let missing = refused.is_no_such_path() || shows;
                if missing && !self.unscoped.swap(true, Ordering::Relaxed) {
                    tracing::info!(
                        "WorkOS does not have the reads below a directory; the older ones are used until the next start"
                    );
                }
                answer
            }
            (None, answer) => answer,
        }
    }
}
