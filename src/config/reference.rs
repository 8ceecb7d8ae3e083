//! The table of settings written out: as Markdown for the documentation, and as a commented
//! `rollcall.toml`. Both come from the rows that the service itself reads.

use super::setting::{Setting, Shown};
use super::settings;

/// A Markdown table of every setting: names, default, meaning.
pub fn markdown() -> String {
    let mut page = String::from(
        "| environment | flag | `rollcall.toml` | default | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for setting in settings() {
        let default = setting
            .default
            .map_or_else(String::new, |text| format!("`{text}`"));
        let file = if setting.may_come_from_a_file() {
            format!(" Also from a file: `{}`.", setting.file_env())
        } else {
            String::new()
        };
        page.push_str(&format!(
            "| `{}` | `--{}` | `{}` | {default} | {}{file} |\n",
            setting.env, setting.flag, setting.key, setting.help
        ));
    }
    page
}

/// A `rollcall.toml` with every setting, explained and commented out at its default.
pub fn example() -> String {
    let mut page = String::from(
        "# Rollcall's configuration. A flag wins over the environment, the environment over this file.\n\
         # Everything is commented out at its default; `rollcall config show` tells what holds and why.\n",
    );
    let mut section = "";
    for setting in settings() {
        let (head, key) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if head != section {
            section = head;
            page.push_str(&format!("\n[{section}]\n"));
        }
        for line in wrap(setting.help, 96) {
            page.push_str(&format!("# {line}\n"));
        }
        page.push_str(&format!(
            "# ({}, --{})\n#{key} = {}\n",
            setting.env,
            setting.flag,
            example_value(setting)
        ));
        if setting.may_come_from_a_file() {
            page.push_str(&format!(
                "#{key}_file = \"/run/secrets/{}\"\n",
                setting.flag
            ));
        }
    }
    page
}

/// Numbers and booleans bare, as TOML has them; all else in quotes.
fn example_value(setting: &Setting) -> String {
    let text = setting.default.unwrap_or("");
    if setting.shown == Shown::Switch
        || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
    {
        text.to_owned()
    } else {
        format!("\"{text}\"")
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_readme_shows_every_setting_as_it_is() {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("<!-- configuration").unwrap();
        let (_, rest) = rest.split_once("-->\n").unwrap();
        let (shown, _) = rest.split_once("<!-- /configuration -->").unwrap();
        assert_eq!(
            shown,
            super::markdown(),
            "put the output of `rollcall config reference` into README.md"
        );
    }
}
