//! [`compile`]: regular expressions that admins write. They are matched in linear time, and their size is limited.

use regex::{Regex, RegexBuilder};

/// The maximum length of a pattern, in bytes.
pub(super) const PATTERN_BYTES: usize = 1_000;

/// The maximum size of a compiled pattern, in bytes. A pattern with several Unicode classes fits.
const COMPILED_BYTES: usize = 256 << 10;

/// The maximum nesting of a pattern.
const NESTING: u32 = 20;

/// Compiles a pattern that must match a whole text.
///
/// # Errors
/// Returns the reason, in one line, if the pattern is malformed or too large.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES {
        return Err(format!("it has more than {PATTERN_BYTES} bytes"));
    }
    let build = |text: &str| {
        let mut builder = RegexBuilder::new(text);
        let built = builder.size_limit(COMPILED_BYTES).dfa_size_limit(COMPILED_BYTES).nest_limit(NESTING).build();
        built.map_err(|error| in_one_line(&error))
    };
    // First by itself: `a)|(b` is malformed, and must not become well-formed by the parentheses around it.
    build(pattern)?;
    build(&format!("^(?:{pattern})$"))
}

fn in_one_line(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large when compiled".to_owned(),
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_texts() {
        let pattern = compile("[0-9a-zA-Z-_.]+").unwrap();
        for right in ["ada", "Ada-1_2.3", "-"] {
            assert!(pattern.is_match(right), "{right}");
        }
        for wrong in ["", "ada lovelace", "ada\n", "ädа", "a/b", "a@b"] {
            assert!(!pattern.is_match(wrong), "{wrong:?}");
        }
        assert!(!compile("a|b").unwrap().is_match("ab"));
    }

    #[test]
    fn patterns_that_are_malformed_or_too_large_are_refused() {
        let (long, nested) = ("a".repeat(1_001), format!("{}a{}", "(".repeat(30), ")".repeat(30)));
        let refused = [
            "(",
            "[a",
            "a)|(b",
            "(?=a)b",
            r"(a)\1",
            "(?x)a#",
            r"(?:\p{L}{1000}){1000}",
            "a{1001}{1000}",
            &long,
            &nested,
        ];
        for wrong in refused {
            let reason = compile(wrong).unwrap_err();
            assert!(!reason.is_empty() && !reason.contains('\n'), "{wrong}: {reason}");
        }
        assert!(compile(r"[\p{L}\p{N}\p{M}_. -]+").is_ok());
    }
}
