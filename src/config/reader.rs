//! Reading settings one by one: the value from the highest layer that has one, parsed; a problem
//! written down and reading gone on with, so that all problems are told at once; and the row that
//! `config show` prints.

use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Serialize;

use super::mask;
use super::problem::Problem;
use super::setting::{Setting, Shown};
use super::sources::{Origin, Sources};

/// A setting as `config show` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct ShownSetting {
    /// Name in the environment.
    pub name: &'static str,
    /// Flag, with its dashes.
    pub flag: String,
    /// Key in `rollcall.toml`.
    pub key: &'static str,
    /// The value, secrets masked; `None` when it is not set.
    pub value: Option<String>,
    /// Which layer it comes from.
    pub origin: Origin,
}

/// Reads the settings of one concern after another and gathers what is wrong.
pub(super) struct Reader<'a> {
    sources: Sources<'a>,
    pub(super) problems: Vec<Problem>,
    pub(super) rows: Vec<ShownSetting>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: Sources<'a>, problems: Vec<Problem>) -> Self {
        Self {
            sources,
            problems,
            rows: Vec::new(),
        }
    }

    /// The parsed value. `None`: it is not set, or it is wrong and the problem is written down.
    pub(super) fn value<T>(
        &mut self,
        setting: &Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, origin) = self.take(setting)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(said) => {
                self.problems.push(Problem::of(setting, &origin, said));
                None
            }
        }
    }

    /// A comma-separated list; empty when it is not set.
    pub(super) fn list<T>(
        &mut self,
        setting: &Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let each = |text: &str| {
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(&parse)
                .collect::<Result<Vec<T>, String>>()
        };
        self.value(setting, each).unwrap_or_default()
    }

    /// A secret, kept from `Debug` from here on.
    pub(super) fn secret(&mut self, setting: &Setting) -> Option<SecretString> {
        self.value(setting, |text| Ok(SecretString::from(text)))
    }

    fn take(&mut self, setting: &Setting) -> Option<(String, Origin)> {
        let found = self.sources.find(setting).unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        });
        let (value, origin) = match &found {
            Some((text, origin)) => (Some(shown(setting, text)), origin.clone()),
            None => (None, Origin::Unset),
        };
        let flag = format!("--{}", setting.flag);
        self.rows.push(ShownSetting {
            name: setting.env,
            flag,
            key: setting.key,
            value,
            origin,
        });
        found
    }
}

fn shown(setting: &Setting, text: &str) -> String {
    match setting.shown {
        // Any URL may carry a password, whatever it is a setting for.
        Shown::Plain | Shown::Switch if text.contains("://") => mask::url(text),
        Shown::Plain | Shown::Switch => text.to_owned(),
        Shown::UrlWithPassword => mask::url(text),
        Shown::Secret => mask::MASKED.to_owned(),
    }
}

/// Any text.
pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// A whole number within bounds.
pub(super) fn whole(text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "`{text}` is not a whole number from {least} to {most}"
        )),
    }
}

/// Whole seconds of any size, without a unit.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<u64>().map_err(|_| {
        format!(
            "`{text}` is not a whole number of seconds: write plain seconds without a unit, such as `300`"
        )
    })?;
    Ok(Duration::from_secs(number))
}

/// `true` or `false`, and the words people write for them.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(format!("`{text}` is neither `true` nor `false`")),
    }
}

/// An address, or a network in CIDR notation.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| single()).map_err(|_| {
        format!("`{text}` is neither an IP address nor a network such as `10.0.0.0/8`")
    })
}

/// An `http://` or `https://` URL, given back without a slash at the end.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let known = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if known {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("is not an `http://` or `https://` URL".to_owned())
    }
}
