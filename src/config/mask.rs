//! Writing down what may hold a secret: the password of a URL becomes `***`, and what cannot be
//! read as a URL is masked whole rather than shown by mistake.

/// What stands in the place of a secret.
pub(super) const MASKED: &str = "***";

/// A URL with its password masked, both before the `@` and as a `password`-like parameter.
///
/// Cut by hand and greedily, up to the last `@` before the query: a password with a stray `/` or
/// `@` is an error to a URL parser, and must not be shown for that reason.
pub(super) fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return MASKED.to_owned();
    };
    // The last `@` of all: a password may hold a stray `?` as well.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let mut shown = format!("{scheme}://");
    if let Some(user) = user {
        match user.split_once(':') {
            Some((name, _)) => shown.push_str(&format!("{name}:{MASKED}@")),
            // Over HTTP, what stands alone before the `@` is as often a token as a name.
            None if scheme.starts_with("http") => shown.push_str(&format!("{MASKED}@")),
            None => shown.push_str(&format!("{user}@")),
        }
    }
    shown.push_str(place);
    if let Some(query) = query {
        let parts: Vec<String> = query.split('&').map(parameter).collect();
        shown.push('?');
        shown.push_str(&parts.join("&"));
    }
    shown
}

fn parameter(text: &str) -> String {
    match text.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={MASKED}"),
        _ => text.to_owned(),
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "secret", "token", "key", "auth", "sig"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_masked_and_the_rest_is_shown() {
        assert_eq!(
            url("postgres://ann:hunter2@db:5432/roll"),
            "postgres://ann:***@db:5432/roll"
        );
        assert_eq!(
            url("postgres://db/roll?user=ann&password=hunter2"),
            "postgres://db/roll?user=ann&password=***"
        );
        assert_eq!(url("postgres://ann@db/roll"), "postgres://ann@db/roll");
        assert_eq!(url("sqlite://rollcall.db"), "sqlite://rollcall.db");
        assert_eq!(
            url("https://tok_1@otel.example/v1?api_key=hunter2&level=3"),
            "https://***@otel.example/v1?api_key=***&level=3"
        );
    }

    #[test]
    fn a_password_that_breaks_the_url_is_masked_all_the_same() {
        for broken in [
            "postgres://ann:hun/ter2@db/roll",
            "postgres://ann:hun@ter2@db/roll",
            "smtp://a:h?unter2@m",
        ] {
            let shown = url(broken);
            assert!(!shown.contains("hun") && !shown.contains("ter2"), "{shown}");
        }
        assert_eq!(url("hunter2"), "***");
    }
}
