//! The structure of JavaScript's regular expressions: rejects patterns that are clearly invalid, in one linear pass.

/// Rejects patterns that every JavaScript engine rejects. It does not detect every error.
pub(super) fn check(pattern: &str) -> Result<(), &'static str> {
    let mut rest = pattern.chars();
    let mut open_groups = 0_usize;
    let mut may_repeat = false;
    while let Some(character) = rest.next() {
        may_repeat = match character {
            '\\' => rest.next().map(|_escaped| true).ok_or("\\ at end of pattern")?,
            '[' => skip_class(&mut rest).map(|()| true)?,
            '(' => {
                open_groups += 1;
                skip_group_kind(&mut rest)?;
                false
            }
            ')' => {
                open_groups = open_groups.checked_sub(1).ok_or("Unmatched ')'")?;
                true
            }
            '*' | '+' | '?' if !may_repeat => return Err("Nothing to repeat"),
            '*' | '+' | '?' => {
                skip_laziness(&mut rest);
                false
            }
            '|' | '^' | '$' => false,
            _ => true,
        };
    }
    if open_groups > 0 {
        return Err("Unterminated group");
    }
    Ok(())
}

/// Returns the pattern as `RegExp.prototype.source` prints it, so that it could be written between slashes.
pub(super) fn to_source(pattern: &str) -> String {
    if pattern.is_empty() {
        return "(?:)".to_owned();
    }
    let mut source = String::with_capacity(pattern.len());
    let mut is_escaped = false;
    let mut in_class = false;
    for character in pattern.chars() {
        let replacement = match character {
            '/' if !in_class => Some("/"),
            '\n' => Some("n"),
            '\r' => Some("r"),
            '\u{2028}' => Some("u2028"),
            '\u{2029}' => Some("u2029"),
            _ => None,
        };
        if replacement.is_some() && !is_escaped {
            source.push('\\');
        }
        match replacement {
            Some(text) => source.push_str(text),
            None => source.push(character),
        }
        match character {
            '[' if !is_escaped => in_class = true,
            ']' if !is_escaped => in_class = false,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    source
}

fn skip_class(rest: &mut std::str::Chars<'_>) -> Result<(), &'static str> {
    loop {
        match rest.next() {
            Some(']') => return Ok(()),
            Some('\\') => rest.next().map(drop).ok_or("\\ at end of pattern")?,
            Some(_) => {}
            None => return Err("Unterminated character class"),
        }
    }
}

/// Skips `?:`, `?=`, `?!`, `?<=`, `?<!` or `?<name>`.
fn skip_group_kind(rest: &mut std::str::Chars<'_>) -> Result<(), &'static str> {
    let Some(after_mark) = rest.as_str().strip_prefix('?') else {
        return Ok(());
    };
    if !after_mark.starts_with([':', '=', '!', '<']) {
        return Err("Invalid group");
    }
    *rest = after_mark[1..].chars();
    Ok(())
}

fn skip_laziness(rest: &mut std::str::Chars<'_>) {
    if let Some(after) = rest.as_str().strip_prefix('?') {
        *rest = after.chars();
    }
}
