//! Links that keep their filters: a path and the parameters that say something.

use url::form_urlencoded::Serializer;

/// A path with those parameters that have a value.
pub(super) fn link(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// An id in a path: WorkOS's are opaque, and a sender may have chosen one.
pub(super) fn encoded(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// A field of a filter form: an empty one says nothing.
pub(super) fn said(value: Option<String>) -> Option<String> {
    value
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

/// A choice among others, shown as a link.
#[derive(Debug)]
pub(super) struct Tab {
    /// What it says.
    pub label: &'static str,
    /// Where it leads.
    pub href: String,
    /// Whether it is what is shown.
    pub current: bool,
}

impl Tab {
    /// Some choices, each with the word that the address has for it; the first mostly has none.
    pub fn all<const N: usize>(
        choices: [(&'static str, Option<&'static str>); N],
        shown: Option<&str>,
        href: impl Fn(Option<&'static str>) -> String,
    ) -> Vec<Self> {
        let tab = |(label, word)| Self {
            label,
            href: href(word),
            current: word == shown,
        };
        choices.into_iter().map(tab).collect()
    }
}

/// The way through a list: forward, and back to the beginning.
#[derive(Debug, Default)]
pub(super) struct Pager {
    /// The next page.
    pub next: Option<String>,
    /// The first page, when this is another one.
    pub first: Option<String>,
}

impl Pager {
    /// The links around a page of a list with those filters.
    pub fn new(
        path: &str,
        filters: &[(&str, Option<&str>)],
        cursor: Option<&str>,
        next: Option<&str>,
    ) -> Self {
        Self {
            next: next.map(|next| {
                let mut all = filters.to_vec();
                all.push(("cursor", Some(next)));
                link(path, &all)
            }),
            first: cursor.map(|_| link(path, filters)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_its_filters_and_encodes_them() {
        let filters = [("status", Some("all")), ("q", Some("a&b=ü")), ("x", None)];
        assert_eq!(
            link("/console/people", &filters),
            "/console/people?status=all&q=a%26b%3D%C3%BC"
        );
        assert_eq!(link("/console", &[("q", None)]), "/console");
    }

    #[test]
    fn an_empty_field_says_nothing() {
        assert_eq!(said(Some("  ".to_owned())), None);
        assert_eq!(said(Some(" a ".to_owned())), Some("a".to_owned()));
    }

    #[test]
    fn an_id_stays_one_part_of_a_path() {
        assert_eq!(encoded("event_01/..?x y"), "event_01%2F..%3Fx%20y");
    }
}
