//! JSON set out for reading without being read: order, numbers and escapes stay as they came.

/// Sets out JSON by two spaces a level. What is not JSON comes out as it went in, more or less.
pub(super) fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut letters = json.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        if quoted {
            out.push(letter);
            match letter {
                '\\' => out.extend(letters.next()),
                '"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match letter {
            '"' => {
                quoted = true;
                out.push(letter);
            }
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => out.push(letter),
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    // Depth is bounded by intake (128); what was stored before stays readable too.
    out.extend(std::iter::repeat_n("  ", depth.min(128)));
}

#[cfg(test)]
mod tests {
    use super::indent;

    #[test]
    fn json_is_set_out_and_nothing_in_it_changes() {
        let json = r#"{"b":1.50,"a":[{ },[],"x, {\"y\"}: z\\"],"c":null}"#;
        let shown = indent(json);
        assert_eq!(
            shown,
            "{\n  \"b\": 1.50,\n  \"a\": [\n    {},\n    [],\n    \"x, {\\\"y\\\"}: z\\\\\"\n  ],\n  \"c\": null\n}"
        );
        assert_eq!(indent(&shown), shown);
    }
}
