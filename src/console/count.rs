//! Counts as people read them: with commas, and a plus where counting stopped.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::operations::overview::CAP;

/// A count that may have stopped at [`CAP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub i64);

impl Count {
    /// As templates hand it over.
    pub fn shown(count: &i64) -> Self {
        Self(*count)
    }

    /// The count with its noun: `1 event`, `10,000+ events`.
    pub fn of(self, noun: &str) -> String {
        let many = if self.0 == 1 { "" } else { "s" };
        format!("{self} {noun}{many}")
    }
}

/// Digits and commas.
impl HtmlSafe for Count {}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                out.write_str(",")?;
            }
            write!(out, "{digit}")?;
        }
        if self.0 >= CAP {
            out.write_str("+")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn a_count_says_where_it_stopped() {
        assert_eq!(Count(0).to_string(), "0");
        assert_eq!(Count(999).to_string(), "999");
        assert_eq!(Count(1_234).of("event"), "1,234 events");
        assert_eq!(Count(1).of("event"), "1 event");
        assert_eq!(Count(10_000).to_string(), "10,000+");
    }
}
