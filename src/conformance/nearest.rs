//! [`nearest`]: the name that a user may have meant.

/// The maximum length of a name that is compared, in characters.
const LONGEST: usize = 100;

/// Returns the known name that differs from `name` in the fewest characters, of several the first. Returns `None` if
/// even that differs in more than half of its characters.
pub(crate) fn nearest<'known>(name: &str, known: &mut dyn Iterator<Item = &'known str>) -> Option<&'known str> {
    let name: Vec<char> = name.chars().take(LONGEST).collect();
    let measured = known.map(|candidate| (distance(&name, candidate), candidate));
    let (distance, candidate) = measured.min_by_key(|(distance, _)| *distance)?;
    (distance * 2 <= candidate.chars().count().max(name.len())).then_some(candidate)
}

/// Returns the number of characters that must be inserted, removed or replaced to get one text from the other.
fn distance(name: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (line, character) in candidate.chars().take(LONGEST).enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in name.iter().enumerate() {
            let replaced = diagonal + usize::from(character != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[name.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_suggested() {
        let known = ["methods", "streams", "settings"];
        let suggested = |name| nearest(name, &mut known.into_iter());
        assert_eq!(suggested("metods"), Some("methods"));
        assert_eq!(suggested("stream"), Some("streams"));
        assert_eq!(suggested("Settings"), Some("settings"));
        assert_eq!(suggested("qqqqqqq"), None);
    }
}
