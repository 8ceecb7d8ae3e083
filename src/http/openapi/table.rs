//! The routes of `/v1`, each said once: from this table both the server's routes and their document
//! are made, so that neither can know something the other does not. A path that is there answers a
//! method it does not take with 405 and says which it does.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{FromRequest, Handler, Responder, Route, web};

use crate::operations::Role;

use super::super::Problem;
use super::parts::{Gives, Operation, Takes};
use super::shapes::Shapes;

/// Every route, in the order in which it was said.
#[derive(Default)]
pub(crate) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// One route and what its document says of it.
pub(crate) struct Entry {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) says: &'static str,
    pub(super) needs: Role,
    pub(super) may: &'static [u16],
    pub(super) tell: fn(&mut Shapes, &mut Operation),
    route: Route,
}

impl Entry {
    /// Asks for more than a viewer.
    pub(crate) fn needs(&mut self, role: Role) -> &mut Self {
        self.needs = role;
        self
    }

    /// May also answer these problems, besides those that its parameters and its role explain.
    pub(crate) fn may(&mut self, statuses: &'static [u16]) -> &mut Self {
        self.may = statuses;
        self
    }
}

macro_rules! methods {
    ($($(#[$about:meta])+ $method:ident;)+) => {$(
        $(#[$about])+
        pub(crate) fn $method<F, Args>(
            &mut self,
            path: &'static str,
            handler: F,
            says: &'static str,
        ) -> &mut Entry
        where
            F: Handler<Args>,
            Args: FromRequest + Takes + 'static,
            F::Output: Responder + Gives + 'static,
        {
            self.entries.push(Entry {
                method: stringify!($method),
                path,
                says,
                needs: Role::Viewer,
                may: &[],
                tell: |shapes, operation| {
                    Args::tell(shapes, operation);
                    F::Output::tell(shapes, operation);
                },
                route: web::$method().to(handler),
            });
            let last = self.entries.len() - 1;
            &mut self.entries[last]
        }
    )+};
}

impl Table {
    methods! {
        /// A route that reads.
        get;
        /// A route that does something, or makes something new.
        post;
        /// A route that puts something in the place of what is there.
        put;
        /// A route that changes what it names.
        patch;
        /// A route that takes something away.
        delete;
    }

    /// Makes the server's routes.
    pub(crate) fn register(self, config: &mut web::ServiceConfig) {
        // `{` sorts behind every letter: a fixed word goes before a parameter in its place.
        let mut paths: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
        for entry in self.entries {
            paths.entry(entry.path).or_default().push(entry);
        }
        for (path, entries) in paths {
            let methods = entries.iter().map(|one| one.method.to_uppercase());
            let allow = methods.collect::<Vec<_>>().join(", ");
            let mut resource = web::resource(path)
                .default_service(web::to(move || std::future::ready(other_method(&allow))));
            for entry in entries {
                resource = resource.route(entry.route);
            }
            config.service(resource);
        }
    }
}

fn other_method(allow: &str) -> Result<web::Json<()>, Problem> {
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        format!("this path takes {allow}"),
    );
    Err(problem.allow(allow))
}
