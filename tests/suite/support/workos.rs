//! WorkOS's API as the contract describes it, for tests: events oldest first whatever `order` says (or as it
//! says, as the official emulator does), 400 on unknown event names and cursors, reads below a directory
//! beside the old ones (either can be away), fresh events hidden, pages with cursors, four calls a
//! second to `/directory_users` of one directory and then the bare text `"Ratelimited"`, empty
//! `groups`, set-up links of five minutes; and faults to switch on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rollcall::clock::Timestamp;
use serde_json::{Value, json};

use super::events::Event;
use super::http_sink::{TakenRequest, read};

/// The environment's key.
pub const API_KEY: &str = "sk_test_fake";
/// Its client id.
pub const CLIENT_ID: &str = "client_fake";

const NAMES: [&str; 12] = [
    "dsync.activated",
    "dsync.deleted",
    "dsync.user.created",
    "dsync.user.updated",
    "dsync.user.deleted",
    "dsync.group.created",
    "dsync.group.updated",
    "dsync.group.deleted",
    "dsync.group.user_added",
    "dsync.group.user_removed",
    "dsync.token.created",
    "dsync.token.revoked",
];

/// What can go wrong, by path; `/directory_users?group` is the listing of a group's users.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The next call to this path is answered so.
    Answer(u16, &'static str, Option<u32>),
    /// A listing ends after so many pages, as if that were all.
    CutAfter(usize),
    /// Every page names itself as the next one.
    SamePage,
    /// Events come newest first.
    NewestFirst,
    /// Events come in no order at all.
    Unsorted,
}

/// How this WorkOS differs from today's.
#[derive(Debug, Default)]
pub struct Variant {
    /// The reads below a directory are not there: answered with this status.
    pub unscoped: Option<u16>,
    /// The older reads are not there: answered with this status.
    pub old_paths: Option<u16>,
    /// `order` of the Events API is obeyed; its default is newest first.
    pub obeys_order: bool,
    /// A `range_start` that lies further back is refused.
    pub window: Option<(Timestamp, Duration)>,
    /// How an unknown cursor is answered.
    pub lost_cursor: Option<(u16, &'static str)>,
    /// A name of an event that no endpoint may subscribe to: refused with this status.
    pub refused_event: Option<(u16, &'static str)>,
    /// Set-up links cannot be revoked.
    pub keeps_links: bool,
}

/// What the environment holds.
#[derive(Default)]
pub struct Environment {
    pub events: Vec<Value>,
    pub hidden: Vec<Value>,
    pub directories: BTreeMap<String, Value>,
    pub users: BTreeMap<String, Value>,
    pub groups: BTreeMap<String, Value>,
    /// Group and user.
    pub edges: BTreeSet<(String, String)>,
    pub codes: BTreeMap<String, Value>,
    pub endpoints: Vec<Value>,
    pub links: Vec<(String, Instant)>,
    /// The directories that were asked to be synced.
    pub syncs: Vec<String>,
    pub variant: Variant,
    pub faults: BTreeMap<String, VecDeque<Fault>>,
    pub requests: Vec<String>,
    calls: BTreeMap<String, Vec<Instant>>,
    openers: BTreeMap<String, String>,
    stopped: bool,
}

/// A running fake. Stops when dropped.
pub struct FakeWorkOs {
    address: SocketAddr,
    shared: Arc<Mutex<Environment>>,
}

impl FakeWorkOs {
    /// Listens on a free loopback port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared: Arc<Mutex<Environment>> = Arc::default();
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.lock().unwrap().stopped {
                    return;
                }
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || stream.map(|stream| serve(stream, &serving)));
            }
        });
        Self { address, shared }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the environment holds, to look at and to change.
    pub fn environment(&self) -> MutexGuard<'_, Environment> {
        self.shared.lock().unwrap()
    }

    /// Something happened: it can be read at once, and stands where its time puts it.
    pub fn happened(&self, event: &Event) {
        let mut all = self.environment();
        all.events.push(event.0.clone());
        all.events.sort_by_key(|one| {
            (
                one["created_at"].as_str().unwrap().to_owned(),
                one["id"].as_str().unwrap().to_owned(),
            )
        });
    }

    /// Something happened, and the Events API does not show it yet.
    pub fn happened_hidden(&self, event: &Event) {
        self.environment().hidden.push(event.0.clone());
    }

    /// What was hidden can be read from now on, at its place in time.
    pub fn reveal(&self) {
        let hidden = std::mem::take(&mut self.environment().hidden);
        hidden
            .into_iter()
            .for_each(|one| self.happened(&Event(one)));
    }

    /// Switches a fault on for calls to a path, after those that wait there already.
    pub fn fault(&self, path: &str, fault: Fault) {
        self.environment()
            .faults
            .entry(path.to_owned())
            .or_default()
            .push_back(fault);
    }

    /// No fault any more.
    pub fn mend(&self) {
        self.environment().faults.clear();
    }

    /// A directory in a state, as REST shows it.
    pub fn directory(&self, id: &str, organization: &str, state: &str) {
        let one = json!({
            "object": "directory", "id": id, "organization_id": organization, "type": "okta scim v2.0",
            "state": state, "name": "Test Okta", "external_key": "k", "domain": null,
            "created_at": "2026-05-04T09:00:00.000Z", "updated_at": "2026-05-04T09:00:00.000Z",
        });
        self.environment().directories.insert(id.to_owned(), one);
    }

    /// A user as an event's data shows them.
    pub fn user(&self, event: &Event) {
        let mut one = event.0["data"].clone();
        one["groups"] = json!([]);
        self.environment()
            .users
            .insert(one["id"].as_str().unwrap().to_owned(), one);
    }

    /// A group as an event's data shows it.
    pub fn group(&self, event: &Event) {
        let one = event.0["data"].clone();
        self.environment()
            .groups
            .insert(one["id"].as_str().unwrap().to_owned(), one);
    }

    /// Somebody is in a group.
    pub fn edge(&self, group: &str, user: &str) {
        self.environment()
            .edges
            .insert((group.to_owned(), user.to_owned()));
    }

    /// The requests so far: method and target.
    pub fn requests(&self) -> Vec<String> {
        self.environment().requests.clone()
    }
}

impl Drop for FakeWorkOs {
    fn drop(&mut self) {
        if let Ok(mut all) = self.shared.lock() {
            all.stopped = true;
        }
        let _ = TcpStream::connect(self.address);
    }
}

type Answer = (u16, Option<u32>, String);

fn serve(stream: TcpStream, shared: &Mutex<Environment>) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let Some(request) = read(&mut BufReader::new(stream))? else {
        return Ok(());
    };
    let (status, retry_after, body) = answer(&mut shared.lock().unwrap(), &request);
    let retry = retry_after.map_or(String::new(), |seconds| {
        format!("Retry-After: {seconds}\r\n")
    });
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{retry}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    writer.write_all(format!("{head}{body}").as_bytes())
}

fn say(status: u16, body: Value) -> Answer {
    (status, None, body.to_string())
}

fn answer(all: &mut Environment, request: &TakenRequest) -> Answer {
    all.requests
        .push(format!("{} {}", request.method, request.target));
    let path = request.path().to_owned();
    let query: BTreeMap<String, String> = url::Url::parse(&format!("http://x{}", request.target))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
    // A fault of the old path is one of the new path, too.
    let (key, query) = by_its_old_name(&path, query);
    let key = match (key.as_str(), query.contains_key("group")) {
        ("/directory_users", true) => "/directory_users?group",
        (key, _) => key,
    };
    let scoped = key != path && path.starts_with("/directories/");
    let old = path.starts_with("/directory_users") || path.starts_with("/directory_groups");
    let missing = match (scoped, old) {
        (true, _) => all.variant.unscoped,
        (_, true) if !query.contains_key("user") => all.variant.old_paths,
        _ => None,
    };
    if let Some(status) = missing {
        return say(
            status,
            json!({"message": "Not Found", "error": "Not Found"}),
        );
    }
    let key = key.to_owned();
    let key = key.as_str();
    let fault = all
        .faults
        .get_mut(key)
        .and_then(|faults| match faults.front() {
            Some(Fault::Answer(..)) => faults.pop_front(),
            other => other.cloned(),
        });
    if let Some(Fault::Answer(status, body, retry_after)) = fault {
        return (status, retry_after, body.to_owned());
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body)
        .into_owned()
        .collect();
    let by_secret =
        path == "/sso/token" && form.get("client_secret").map(String::as_str) == Some(API_KEY);
    if !by_secret && request.header("authorization") != Some(&format!("Bearer {API_KEY}")) {
        return say(401, json!({"message": "Unauthorized"}));
    }
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    // Listings of users look at the limit themselves.
    if let (true, ["directories", id, rest @ ..]) = (scoped, parts.as_slice())
        && *rest != ["users"]
        && is_too_soon(all, id)
    {
        return (429, None, "\"Ratelimited\"".to_owned());
    }
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["events"]) => events(all, &query, fault.as_ref()),
        ("GET", ["directories"]) => {
            let rows = all.directories.values().filter(|one| {
                query
                    .get("organization_id")
                    .is_none_or(|id| one["organization_id"] == id.as_str())
            });
            list(&rows.collect::<Vec<_>>(), &query, fault.as_ref())
        }
        ("GET", ["directories", id]) => match all.directories.get(*id).cloned() {
            None => say(404, json!({"message": "Directory not found"})),
            Some(mut one) => {
                let users: Vec<&Value> = all
                    .users
                    .values()
                    .filter(|user| user["directory_id"] == *id)
                    .collect();
                let active = users
                    .iter()
                    .filter(|user| user["state"] == "active")
                    .count();
                let groups = all
                    .groups
                    .values()
                    .filter(|group| group["directory_id"] == *id)
                    .count();
                one["metadata"] = json!({"users": {"active": active, "inactive": users.len() - active}, "groups": groups});
                say(200, one)
            }
        },
        ("POST", ["directories", id, "sync"]) => sync(all, id),
        ("GET", ["directories", _, "users"]) => users(all, &query, fault.as_ref()),
        ("GET", ["directories", _, "groups"]) => groups(all, &query, fault.as_ref()),
        ("GET", ["directories", of, "users", id]) => {
            single(all.users.get(*id).filter(|one| one["directory_id"] == *of))
        }
        ("GET", ["directories", of, "groups", id]) => {
            single(all.groups.get(*id).filter(|one| one["directory_id"] == *of))
        }
        ("GET", ["directory_users"]) => users(all, &query, fault.as_ref()),
        ("GET", ["directory_groups"]) => groups(all, &query, fault.as_ref()),
        ("GET", ["directory_users", id]) => single(all.users.get(*id)),
        ("GET", ["directory_groups", id]) => single(all.groups.get(*id)),
        ("POST", ["portal", "generate_link"]) => portal(all, request),
        ("POST", ["portal", "revoke_link"]) => revoke(all, request),
        ("POST", ["sso", "token"]) => token(all, &form),
        ("GET", ["webhook_endpoints"]) => list(
            &all.endpoints.iter().collect::<Vec<_>>(),
            &query,
            fault.as_ref(),
        ),
        ("POST", ["webhook_endpoints"]) => endpoint(all, request),
        ("PATCH", ["webhook_endpoints", id]) => change_endpoint(all, id, request),
        _ => say(404, json!({"message": "Not Found"})),
    }
}

fn single(found: Option<&Value>) -> Answer {
    match found {
        Some(one) => say(200, one.clone()),
        None => say(404, json!({"message": "Not Found"})),
    }
}

fn id_of(one: &Value) -> &str {
    one["id"].as_str().unwrap()
}

fn events(all: &Environment, query: &BTreeMap<String, String>, fault: Option<&Fault>) -> Answer {
    let names: Vec<&str> = query
        .get("events")
        .map_or(Vec::new(), |names| names.split(',').collect());
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(name)) {
        let message = format!("Invalid name parameter, received: '{unknown}'");
        return say(
            400,
            json!({"code": "invalid_events_request", "message": message}),
        );
    }
    if names.is_empty() || (query.contains_key("after") && query.contains_key("range_start")) {
        return say(
            400,
            json!({"code": "invalid_events_request", "message": "events, and either after or range_start"}),
        );
    }
    if query
        .get("range_start")
        .is_some_and(|text| !text.ends_with('Z'))
    {
        return say(
            400,
            json!({"code": "invalid_events_request", "message": "range_start must be UTC"}),
        );
    }
    let since = query
        .get("range_start")
        .map(|text| Timestamp::parse(text).unwrap());
    if let Some((now, window)) = all.variant.window
        && since.is_some_and(|since| now.since(since) >= window)
    {
        return say(
            400,
            json!({"message": "Validation failed", "errors": [{"code": "out_of_range", "field": "range_start"}]}),
        );
    }
    if let (Some(after), Some((status, body))) = (query.get("after"), all.variant.lost_cursor)
        && !all.events.iter().any(|one| id_of(one) == after)
    {
        return (status, None, body.to_owned());
    }
    let mut rows: Vec<&Value> = all
        .events
        .iter()
        .filter(|one| names.contains(&one["event"].as_str().unwrap()))
        .filter(|one| {
            since.is_none_or(|since| {
                Timestamp::parse(one["created_at"].as_str().unwrap()).unwrap() >= since
            })
        })
        .collect();
    let newest_first =
        all.variant.obeys_order && query.get("order").is_none_or(|order| order != "asc");
    match fault {
        Some(Fault::Unsorted) => rows.sort_by_key(|one| {
            let id = id_of(one);
            id.bytes().rev().collect::<Vec<_>>()
        }),
        Some(Fault::NewestFirst) => rows.reverse(),
        _ if newest_first => rows.reverse(),
        _ => {}
    }
    list(&rows, query, fault)
}

fn list(rows: &[&Value], query: &BTreeMap<String, String>, fault: Option<&Fault>) -> Answer {
    let limit = query
        .get("limit")
        .map_or(10, |text| text.parse::<usize>().unwrap());
    if !(1..=100).contains(&limit) {
        return say(
            422,
            json!({"message": "limit", "code": "invalid_request_parameters"}),
        );
    }
    let begin = match query.get("after") {
        None => 0,
        Some(after) => match rows.iter().position(|one| id_of(one) == after) {
            Some(at) => at + 1,
            None => {
                return say(
                    400,
                    json!({"message": "Invalid cursor", "code": "invalid_cursor"}),
                );
            }
        },
    };
    let page: Vec<&Value> = rows.iter().skip(begin).take(limit).copied().collect();
    let more = begin + page.len() < rows.len();
    let last = page.last().map(|one| id_of(one).to_owned());
    let after = match fault {
        Some(Fault::CutAfter(pages)) if (begin / limit) + 1 >= *pages => None,
        Some(Fault::SamePage) => query.get("after").cloned().or(last),
        _ => last.filter(|_| more),
    };
    say(
        200,
        json!({"object": "list", "data": page, "list_metadata": {"before": null, "after": after}}),
    )
}

fn users(all: &mut Environment, query: &BTreeMap<String, String>, fault: Option<&Fault>) -> Answer {
    let group = query.get("group");
    let Some(key) = query.get("directory").or(group) else {
        return say(422, json!({"message": "directory or group"}));
    };
    if is_too_soon(all, &key.clone()) {
        return (429, None, "\"Ratelimited\"".to_owned());
    }
    let within = |one: &&Value| {
        query
            .get("directory")
            .is_none_or(|id| one["directory_id"] == id.as_str())
    };
    if fault.is_none()
        && let Some(after) = query.get("after").filter(|id| all.users.contains_key(*id))
    {
        return users_after(all, query, after, within);
    }
    let rows: Vec<&Value> = match group {
        None => all.users.values().filter(within).collect(),
        Some(group) => {
            let edges = all.edges.range((group.clone(), String::new())..);
            let edges = edges.take_while(|(of, _)| of == group);
            let users = edges.filter_map(|(_, user)| all.users.get(user));
            users.filter(within).collect()
        }
    };
    list(&rows, query, fault)
}

/// The same page as [`list`] gives, without looking at those before it: a large directory is read at
/// WorkOS's pace also by a build that is not optimised.
fn users_after(
    all: &Environment,
    query: &BTreeMap<String, String>,
    after: &str,
    within: impl Fn(&&Value) -> bool,
) -> Answer {
    let limit = query
        .get("limit")
        .map_or(10, |text| text.parse::<usize>().unwrap());
    let mut page: Vec<&Value> = match query.get("group") {
        None => {
            let later = all.users.range::<str, _>((Excluded(after), Unbounded));
            later
                .map(|(_, one)| one)
                .filter(within)
                .take(limit + 1)
                .collect()
        }
        Some(group) => {
            let last = (group.clone(), after.to_owned());
            let later = all.edges.range((Excluded(last), Unbounded));
            let later = later.take_while(|(of, _)| of == group);
            let users = later.filter_map(|(_, user)| all.users.get(user));
            users.filter(within).take(limit + 1).collect()
        }
    };
    let more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().map(|one| id_of(one).to_owned());
    let metadata = json!({"before": null, "after": last.filter(|_| more)});
    say(
        200,
        json!({"object": "list", "data": page, "list_metadata": metadata}),
    )
}

fn groups(all: &Environment, query: &BTreeMap<String, String>, fault: Option<&Fault>) -> Answer {
    let user = query.get("user");
    let rows = all.groups.values().filter(|one| {
        query
            .get("directory")
            .is_none_or(|id| one["directory_id"] == id.as_str())
    });
    let rows = rows.filter(|one| {
        user.is_none_or(|user| all.edges.contains(&(id_of(one).to_owned(), user.clone())))
    });
    list(&rows.collect::<Vec<_>>(), query, fault)
}

/// Four calls a second of one directory; counts this one.
fn is_too_soon(all: &mut Environment, directory: &str) -> bool {
    let now = Instant::now();
    let calls = all.calls.entry(directory.to_owned()).or_default();
    calls.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
    if calls.len() < 4 {
        calls.push(now);
        return false;
    }
    true
}

/// A read below a directory, as the older path and query for the same.
fn by_its_old_name(
    path: &str,
    mut query: BTreeMap<String, String>,
) -> (String, BTreeMap<String, String>) {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let name = match parts.as_slice() {
        ["directories", directory, "users" | "groups"] => {
            query.insert("directory".to_owned(), (*directory).to_owned());
            format!("/directory_{}", parts[2])
        }
        ["directories", _, "users" | "groups", id] => format!("/directory_{}/{id}", parts[2]),
        _ => path.to_owned(),
    };
    (name, query)
}

/// Whether a request lists the users of a directory, by whichever path.
pub fn lists_users(request: &str) -> bool {
    (request.contains("/directory_users?") || request.contains("/users?"))
        && !request.contains("group=")
}

/// Queued, or refused while one that was asked for before is not over: see [`Fault::Answer`] for the rest.
fn sync(all: &mut Environment, id: &str) -> Answer {
    let Some(directory) = all.directories.get(id) else {
        return say(404, json!({"message": "Directory not found"}));
    };
    if directory["type"] != "gsuite directory" {
        return say(
            422,
            json!({"code": "directory_sync_not_supported", "message": "type"}),
        );
    }
    if all.syncs.iter().any(|synced| synced == id) {
        return say(
            409,
            json!({"code": "directory_sync_in_progress", "message": "running"}),
        );
    }
    all.syncs.push(id.to_owned());
    say(200, json!({"status": "queued"}))
}

/// Ends the links that were made with this external user id.
fn revoke(all: &mut Environment, request: &TakenRequest) -> Answer {
    let body = request.json();
    let known = format!("{}\0{}", body["organization"], body["external_user_id"]);
    let before = all.links.len();
    let gone = all.openers.iter().filter(|(_, opener)| **opener == known);
    let gone: BTreeSet<String> = gone.map(|(link, _)| link.clone()).collect();
    if all.variant.keeps_links {
        return say(404, json!({"message": "Not Found", "error": "Not Found"}));
    }
    all.links.retain(|(link, _)| !gone.contains(link));
    match before - all.links.len() {
        0 => say(404, json!({"message": "Not Found"})),
        _ => say(200, json!({})),
    }
}

fn portal(all: &mut Environment, request: &TakenRequest) -> Answer {
    let body = request.json();
    if body["intent"] != "dsync" || !body["organization"].is_string() {
        return say(422, json!({"message": "intent"}));
    }
    let link = format!(
        "https://setup.workos.example/portal/launch?secret=secret_{}",
        all.links.len()
    );
    all.links
        .push((link.clone(), Instant::now() + Duration::from_secs(300)));
    let opener = format!("{}\0{}", body["organization"], body["external_user_id"]);
    all.openers.insert(link.clone(), opener);
    say(201, json!({"link": link}))
}

fn token(all: &mut Environment, form: &BTreeMap<String, String>) -> Answer {
    if form.get("client_id").map(String::as_str) != Some(CLIENT_ID) {
        return say(
            400,
            json!({"error": "invalid_client", "error_description": "Invalid client ID."}),
        );
    }
    match form.get("code").and_then(|code| all.codes.remove(code)) {
        Some(profile) => say(
            200,
            json!({"token_type": "Bearer", "access_token": "t", "expires_in": 600, "profile": profile}),
        ),
        None => say(
            400,
            json!({"error": "invalid_grant", "error_description": "The code has expired or is invalid."}),
        ),
    }
}

fn endpoint(all: &mut Environment, request: &TakenRequest) -> Answer {
    let body = request.json();
    if all
        .endpoints
        .iter()
        .any(|one| one["endpoint_url"] == body["endpoint_url"])
    {
        return say(
            409,
            json!({"code": "duplicate_endpoint", "message": "duplicate"}),
        );
    }
    if !body["endpoint_url"]
        .as_str()
        .unwrap_or("")
        .starts_with("https://")
    {
        return say(422, json!({"code": "invalid_url", "message": "invalid"}));
    }
    let one = json!({
        "object": "webhook_endpoint", "id": format!("we_{}", all.endpoints.len()), "status": "enabled",
        "endpoint_url": body["endpoint_url"], "events": body["events"], "secret": "whsec_2sAZJlbjP8Ce3rwkKEv2GfKef",
        "created_at": "2026-05-04T09:00:00.000Z", "updated_at": "2026-05-04T09:00:00.000Z",
    });
    if let Some(refused) = refused_event(all, &body) {
        return refused;
    }
    all.endpoints.push(one.clone());
    say(201, one)
}

/// As WorkOS refuses a name it does not know: the whole request (contract 3.1).
fn refused_event(all: &Environment, body: &Value) -> Option<Answer> {
    let (status, name) = all.variant.refused_event?;
    let asked = body["events"].as_array()?.contains(&json!(name));
    let code = "webhook_events_invalid";
    let message = format!("Invalid events: {name}");
    asked.then(|| say(status, json!({"code": code, "message": message})))
}

fn change_endpoint(all: &mut Environment, id: &str, request: &TakenRequest) -> Answer {
    if let Some(refused) = refused_event(all, &request.json()) {
        return refused;
    }
    let Some(one) = all.endpoints.iter_mut().find(|one| one["id"] == id) else {
        return say(404, json!({"message": "Not Found"}));
    };
    for (key, value) in request.json().as_object().unwrap() {
        one[key] = value.clone();
    }
    say(200, one.clone())
}
