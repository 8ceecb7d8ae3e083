//! The layers a setting is looked up in: flag over environment over `rollcall.toml` over default.
//! A secret may also lie in a file that `NAME_FILE` (flag `--name-file`, key `name_file`) names;
//! saying both in one layer is an error, and empty values count as not set.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::problem::Problem;
use super::setting::Setting;

/// The settings said as flags: flag name without dashes -> value.
pub type Flags = BTreeMap<String, String>;

/// Which layer a value comes from, under the name it was said with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag, with its dashes.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A key of the configuration file.
    File(String),
    /// The built-in default.
    Default,
    /// Nobody said anything and there is no default.
    Unset,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(out, "flag {name}"),
            Self::Environment(name) => write!(out, "environment {name}"),
            Self::File(key) => write!(out, "file {key}"),
            Self::Default => out.write_str("default"),
            Self::Unset => out.write_str("not set"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// What was said in each layer.
pub(super) struct Sources<'a> {
    pub(super) flags: &'a Flags,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) file: BTreeMap<String, String>,
}

impl Sources<'_> {
    /// The value of the highest layer that has one, and where it was said.
    pub(super) fn find(&self, setting: &Setting) -> Result<Option<(String, Origin)>, Problem> {
        let flag = |name: &str| self.flags.get(name).cloned();
        let key = |name: &str| self.file.get(name).cloned();
        let flags = Layer {
            get: &flag,
            names: (setting.flag.to_owned(), setting.file_flag()),
            origin: |name| Origin::Flag(format!("--{name}")),
        };
        let env = Layer {
            get: self.env,
            names: (setting.env.to_owned(), setting.file_env()),
            origin: Origin::Environment,
        };
        let file = Layer {
            get: &key,
            names: (setting.key.to_owned(), setting.file_key()),
            origin: Origin::File,
        };
        for layer in [flags, env, file] {
            if let Some(found) = layer.find(setting)? {
                return Ok(Some(found));
            }
        }
        Ok(setting
            .default
            .map(|text| (text.to_owned(), Origin::Default)))
    }
}

struct Layer<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    /// The name for the value, and the name for the file that holds it.
    names: (String, String),
    origin: fn(String) -> Origin,
}

impl Layer<'_> {
    fn find(self, setting: &Setting) -> Result<Option<(String, Origin)>, Problem> {
        let (name, file_name) = self.names;
        let get = |name: &str| (self.get)(name).filter(|text| !text.trim().is_empty());
        let value = get(&name);
        let path = if setting.may_come_from_a_file() {
            get(&file_name)
        } else {
            None
        };
        match (value, path) {
            (None, None) => Ok(None),
            (Some(text), None) => Ok(Some((text, (self.origin)(name)))),
            (Some(_), Some(_)) => {
                let said = format!("is set, and so is {file_name}: keep one of the two");
                Err(Problem::of(setting, &(self.origin)(name), said))
            }
            (None, Some(path)) => {
                let origin = (self.origin)(file_name);
                let text =
                    read_secret(&path).map_err(|said| Problem::of(setting, &origin, said))?;
                Ok(Some((text, origin)))
            }
        }
    }
}

/// The file's text without one newline at the end, which every editor and `echo` leave there.
fn read_secret(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|why| format!("the file {path} cannot be read: {why}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(format!("the file {path} is empty"));
    }
    Ok(text.to_owned())
}
