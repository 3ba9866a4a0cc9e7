//! [`Selection`]: which cases of a book to run, by chapter, id and name. Names that do not exist are errors, since a
//! mistyped one would select nothing.

use super::case::{Case, Chapter};
use super::nearest::nearest;

/// The cases to run: all of them if nothing is listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Names of chapters.
    pub(crate) chapters: Vec<String>,
    /// Ids of cases, in which `*` stands for any text.
    pub(crate) ids: Vec<String>,
    /// Parts of the names of cases, in lower case.
    pub(crate) names: Vec<String>,
}

/// The error for the name of a chapter, case or need that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{name}` does not exist{}", suggestion(.nearest.as_deref()))]
pub struct UnknownName {
    what: &'static str,
    name: String,
    nearest: Option<String>,
}

impl Selection {
    pub(crate) fn selects(&self, chapter: &Chapter, case: &Case) -> bool {
        let name = case.name.to_lowercase();
        let is_among = |list: &[String], fits: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|it| fits(it));
        is_among(&self.chapters, &|it| it == chapter.name)
            && is_among(&self.ids, &|pattern| fits(pattern, &case.id))
            && is_among(&self.names, &|part| name.contains(part))
    }

    pub(crate) fn check(&self, book: &[Chapter]) -> Result<(), UnknownName> {
        for chapter in &self.chapters {
            let mut known = book.iter().map(|chapter| chapter.name.as_str());
            if !known.clone().any(|name| name == chapter) {
                return Err(UnknownName::new("the chapter", chapter, &mut known));
            }
        }
        self.ids.iter().try_for_each(|pattern| check_id(pattern, book))
    }
}

/// Checks that a case has an id that fits `pattern`.
pub(crate) fn check_id(pattern: &str, book: &[Chapter]) -> Result<(), UnknownName> {
    let ids = book.iter().flat_map(|chapter| &chapter.cases).map(|case| case.id.as_str());
    if ids.clone().any(|id| fits(pattern, id)) {
        return Ok(());
    }
    let chapters: Vec<String> = book.iter().map(|chapter| format!("{}/*", chapter.name)).collect();
    Err(UnknownName::new("the case", pattern, &mut chapters.iter().map(String::as_str).chain(ids)))
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, name: &str, known: &mut dyn Iterator<Item = &str>) -> Self {
        Self { what, name: name.to_owned(), nearest: nearest(name, known).map(str::to_owned) }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; the nearest is `{nearest}`"))
}

/// Returns whether `text` fits `pattern`, in which `*` stands for any text.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(start) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some((_, after)) = left.split_once(part) else {
            return false;
        };
        left = after;
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in
            [("a/1", "a/1"), ("a/*", "a/1"), ("*", "a/1"), ("*/1", "a/1"), ("a*b*c", "a-b-c"), ("a**c", "ac")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a/1", "a/12"), ("a/*", "b/1"), ("*/1", "a/12"), ("a*b*c", "a-c"), ("ab*ba", "aba")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
