//! What a setting is: its three names (environment, flag, key in `rollcall.toml`), its default,
//! one sentence of help, and how it may be shown. The rows themselves stand in the files of this
//! folder, each beside the struct that it fills; parsing, `config show`, the reference table and
//! the command line's flags all read the same row, so nothing is said twice.

/// How a setting's value may be written down where people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain,
    /// As it is; the flag may stand without a value and then means `true`.
    Switch,
    /// A URL whose password is masked. May also come from a file (`NAME_FILE`).
    UrlWithPassword,
    /// Masked whole. May also come from a file (`NAME_FILE`).
    Secret,
}

/// One setting: a row of the table that [`crate::config::settings`] gives.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name in the environment: `ROLLCALL_LISTEN`.
    pub env: &'static str,
    /// Name on the command line, without the dashes: `listen`.
    pub flag: &'static str,
    /// Name in `rollcall.toml`, with its section: `http.listen`.
    pub key: &'static str,
    /// What a value looks like, for help: `ADDRESS`.
    pub value: &'static str,
    /// What it does, its unit and its bounds, in a sentence or two.
    pub help: &'static str,
    /// What holds when nobody says anything; `None` is "not set".
    pub default: Option<&'static str>,
    /// How it may be shown.
    pub shown: Shown,
}

impl Setting {
    /// A setting by its three names: environment, flag, key.
    pub(super) const fn new(env: &'static str, flag: &'static str, key: &'static str) -> Self {
        Self {
            env,
            flag,
            key,
            value: "VALUE",
            help: "",
            default: None,
            shown: Shown::Plain,
        }
    }

    /// What a value looks like, and what the setting does.
    pub(super) const fn help(mut self, value: &'static str, help: &'static str) -> Self {
        self.value = value;
        self.help = help;
        self
    }

    /// What holds when nobody says anything, written as a user would write it.
    pub(super) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// How it may be shown.
    pub(super) const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }

    /// Whether the value may also come from a file that `NAME_FILE` names.
    pub const fn may_come_from_a_file(&self) -> bool {
        matches!(self.shown, Shown::Secret | Shown::UrlWithPassword)
    }

    /// Name in the environment of the file that holds the value: `WORKOS_API_KEY_FILE`.
    pub fn file_env(&self) -> String {
        format!("{}_FILE", self.env)
    }

    /// Flag for the file that holds the value: `workos-api-key-file`.
    pub fn file_flag(&self) -> String {
        format!("{}-file", self.flag)
    }

    /// Key in `rollcall.toml` for the file that holds the value: `workos.api_key_file`.
    pub fn file_key(&self) -> String {
        format!("{}_file", self.key)
    }
}
