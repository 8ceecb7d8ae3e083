//! The forms in which directories write true and false: JSON's own, and the texts and numbers that
//! providers send instead (Entra and Google write `"True"`, HR systems `Yes`, `1` or `on`).

use serde_json::Value;

use super::clean;

/// True or false, by any of its forms; `None` where a value is neither.
pub fn of(value: &Value) -> Option<bool> {
    let word = match value {
        Value::Bool(truth) => return Some(*truth),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => return Some(true),
            Some(0.0) => return Some(false),
            _ => return None,
        },
        Value::String(text) => clean::fold(text),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    match word.as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" | "on" => Some(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn truth_is_read_in_every_form_that_directories_write_it() {
        for yes in [
            json!(true),
            json!("True"),
            json!(" YES\u{200b}"),
            json!("y"),
            json!(1),
            json!(1.0),
            json!("on"),
        ] {
            assert_eq!(of(&yes), Some(true), "{yes}");
        }
        for no in [
            json!(false),
            json!("FALSE"),
            json!("No"),
            json!(0),
            json!("0"),
            json!("off"),
        ] {
            assert_eq!(of(&no), Some(false), "{no}");
        }
        for neither in [
            json!(null),
            json!(""),
            json!(2),
            json!("maybe"),
            json!([true]),
            json!({}),
        ] {
            assert_eq!(of(&neither), None, "{neither}");
        }
    }
}
