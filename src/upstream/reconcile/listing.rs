//! The listing: the directory itself, then its users, its groups, and the users of each group (not
//! `user.groups`, which is empty now, contract 8). Each page is compared where it stands and only its
//! ids are kept. A listing that is not whole ends the comparison.

use serde_json::Value;

use super::differ::{Differ, id_of};
use super::event::Event;
use super::{LEASE, Progress, ReconcileError, Reconciler, counts_of, text_of};
use crate::store::directories;
use crate::store::reconciles::{self, Drift, Reconcile};
use crate::workos::client::Page;

impl Reconciler {
    /// The directory: only of a linked one anything is inferred (R38).
    pub(super) async fn begin(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        let directory = self.directory(one, progress).await?;
        (progress.expected_users, progress.expected_groups) = counts_of(&directory);
        let (row, now) = (one.clone(), self.clock.now());
        self.write(move |conn| {
            let known = directories::load(conn, std::slice::from_ref(&row.directory_id))?;
            if !known.contains_key(&row.directory_id) {
                let item = Event::of(&row, "directory_missing_here", &row.directory_id)
                    .linked(&directory, now);
                reconciles::add_drift(conn, &[item])?;
            }
            Ok(())
        })
        .await?;
        Ok(false)
    }

    async fn directory(
        &self,
        one: &Reconcile,
        progress: &mut Progress,
    ) -> Result<Value, ReconcileError> {
        progress.calls += 1;
        let directory = self.client.directory(&one.directory_id).await?;
        let state = directory
            .get("state")
            .and_then(Value::as_str)
            .unwrap_or("unknown");
        if matches!(state, "linked" | "active") {
            return Ok(directory);
        }
        Err(ReconcileError::Incomplete(format!(
            "the directory is {state} in WorkOS, and nothing is inferred from one that is not linked"
        )))
    }

    pub(super) async fn list_users(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        if !progress.listed {
            progress.calls += 1;
            let asked = self.clock.now();
            let page = self
                .client
                .users_of_directory(&one.directory_id, progress.cursor.as_deref())
                .await?;
            let at = self.time_of(page.at, asked);
            self.take_page(one, progress, "user", page, move |differ, users, _| {
                differ.users(users, at)
            })
            .await?;
            if !progress.listed {
                return Ok(true);
            }
        }
        let counted = counts_of(&self.directory(one, progress).await?).0;
        let (id, here) = (one.directory_id.clone(), progress.users);
        let known = self
            .write(move |conn| Ok(reconciles::users_here(conn, &id)?))
            .await?;
        is_whole("users", here, known, progress.expected_users.min(counted))?;
        Ok(false)
    }

    pub(super) async fn list_groups(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        if !progress.listed {
            progress.calls += 1;
            let asked = self.clock.now();
            let page = self
                .client
                .groups_of_directory(&one.directory_id, progress.cursor.as_deref())
                .await?;
            let at = self.time_of(page.at, asked);
            self.take_page(one, progress, "group", page, move |differ, groups, _| {
                differ.groups(groups, at)
            })
            .await?;
            if !progress.listed {
                return Ok(true);
            }
        }
        let counted = counts_of(&self.directory(one, progress).await?).1;
        let (id, here) = (one.directory_id.clone(), progress.groups);
        let known = self
            .write(move |conn| Ok(reconciles::groups_here(conn, &id)?))
            .await?;
        is_whole("groups", here, known, progress.expected_groups.min(counted))?;
        Ok(false)
    }

    /// One page of one group's users; a group that is listed whole is compared at its end.
    pub(super) async fn list_edges(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
    ) -> Result<bool, ReconcileError> {
        if progress.listed || progress.at.is_empty() {
            let (id, last) = (one.id.clone(), progress.at.clone());
            let next = self.write(move |conn| {
                reconciles::forget(conn, &id, "edge")?;
                reconciles::forget(conn, &id, "page")?;
                Ok(reconciles::seen_after(conn, &id, "group", &last)?)
            });
            let Some(next) = next.await? else {
                return Ok(false);
            };
            (progress.at, progress.listed, progress.cursor) = (next, false, None);
        }
        let group = progress.at.clone();
        progress.calls += 1;
        let asked = self.clock.now();
        let page = self
            .client
            .users_of_group(&one.directory_id, &group, progress.cursor.as_deref())
            .await?;
        let at = self.time_of(page.at, asked);
        self.take_page(one, progress, "edge", page, move |differ, users, last| {
            let mut found = differ.edges(&group, users, at)?;
            if last {
                found.extend(differ.edges_gone(&group, at)?);
            }
            Ok(found)
        })
        .await?;
        Ok(true)
    }

    /// Notes what a page named, compares it and writes the checkpoint behind it, in one transaction: a
    /// page is read again only where nothing of it was written down.
    async fn take_page(
        &self,
        one: &mut Reconcile,
        progress: &mut Progress,
        kind: &'static str,
        page: Page<Value>,
        compare: impl FnOnce(&mut Differ<'_>, &[Value], bool) -> Result<Vec<Drift>, ReconcileError>
        + Send
        + 'static,
    ) -> Result<(), ReconcileError> {
        let (mut row, mut next) = (one.clone(), progress.clone());
        let until = self.clock.now().plus(LEASE);
        let taken = self.write(move |conn| {
            let ids: Vec<String> = page.data.iter().filter_map(id_of).collect();
            let new = reconciles::see(conn, &row.id, kind, &ids)?;
            if let Some(after) = &page.after {
                let token = format!("{kind} {after}");
                if reconciles::see(conn, &row.id, "page", &[token])? == 0
                    || (new == 0 && !ids.is_empty())
                {
                    return Err(ReconcileError::Incomplete(
                        "the listing repeated a page".to_owned(),
                    ));
                }
            }
            let last = page.after.is_none();
            let mut differ = Differ::new(conn, &row)?;
            let found = compare(&mut differ, &page.data, last)?;
            let left = std::mem::take(&mut differ.left);
            reconciles::add_drift(conn, &found)?;
            next.leave_out(conn, &row.id, left)?;
            next.count(kind, new);
            (next.listed, next.cursor) = (last, page.after);
            row.progress = text_of(&next);
            if reconciles::save(conn, &row, until)? {
                Ok((row, next))
            } else {
                Err(ReconcileError::LeaseLost)
            }
        });
        (*one, *progress) = taken.await?;
        Ok(())
    }
}

/// R43: an empty listing of a directory that has people here, and one with fewer rows than WorkOS
/// itself counts, are no listings.
fn is_whole(
    what: &str,
    listed: i64,
    known: i64,
    counted: Option<i64>,
) -> Result<(), ReconcileError> {
    if listed == 0 && known > 0 {
        return Err(ReconcileError::Incomplete(format!(
            "the listing of {what} came back empty, and {known} are known here"
        )));
    }
    match counted {
        Some(counted) if listed < counted => Err(ReconcileError::Incomplete(format!(
            "the listing of {what} was cut: {listed} came, WorkOS counts {counted}"
        ))),
        _ => Ok(()),
    }
}
