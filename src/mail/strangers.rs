//! What strangers choose and mails show: usernames and user agents. A stranger must not be able to write to a user in the
//! name of the server, so that neither is shown as it was sent.

/// What a mail calls a user whose name it does not show.
const NAMELESS: &str = "there";

/// The maximum length of a name that mails show, in characters.
const LONGEST_NAME: usize = 24;

/// The browsers that mails name, by what their user agents contain. Those of some contain the names of others, which
/// come later.
const BROWSERS: [(&str, &str); 7] = [
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Opera", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chrome"),
    ("Safari", "Safari"),
];

const SYSTEMS: [(&str, &str); 10] = [
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("macOS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("ChromeOS", "ChromeOS"),
    ("iOS", "iOS"),
    ("Linux", "Linux"),
];

/// Returns what a mail calls a user: the username, unless it could be read as a sentence or a link.
pub(super) fn addressee(username: &str) -> &str {
    let is_separator = |character: char| matches!(character, '-' | '_');
    let is_name = username.chars().next().is_some_and(char::is_alphabetic)
        && username.chars().count() <= LONGEST_NAME
        && username.chars().all(|character| character.is_alphanumeric() || is_separator(character))
        && username.chars().filter(|character| is_separator(*character)).count() <= 1;
    if is_name { username } else { NAMELESS }
}

/// Returns the browser and the system of a user agent by name, such as `Firefox on Linux`, or `unknown`.
pub(super) fn program(user_agent: &str) -> String {
    let named =
        |list: &[(&str, &'static str)]| list.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    // A name that was found before is found again.
    let browser = named(&BROWSERS).or_else(|| user_agent.starts_with("Chrome").then_some("Chrome"));
    match (browser, named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_a_sentence_or_a_link_are_not_shown() {
        for shown in ["ada", "Ada", "ada-lovelace", "ada_1815", "Зоя"] {
            assert_eq!(addressee(shown), shown);
        }
        let hidden = [
            "",
            "evil.example",
            "http://evil.example",
            "a/b",
            "Your account was closed",
            "Your-account-was-closed",
            "call_us-now",
            "555-1234",
            "ada@example.com",
            "x\r\ny",
            "abcdefghijklmnopqrstuvwxy",
        ];
        for name in hidden {
            assert_eq!(addressee(name), "there", "{name:?}");
        }
    }

    #[test]
    fn a_user_agent_is_named_from_a_short_list() {
        let table = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 (KHTML) Chrome/138.0 Safari/537.36",
                "Chrome on Windows",
            ),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/138.0 Safari/537.36 Edg/138.0", "Edge on Windows"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile Safari/604.1",
                "Safari on iOS",
            ),
            ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/138.0 Safari/537.36", "Chrome on ChromeOS"),
            ("Your account was closed, see http://evil.example", "unknown"),
            ("", "unknown"),
        ];
        for (user_agent, expected) in table {
            assert_eq!(program(user_agent), expected, "{user_agent}");
            assert_eq!(program(expected), expected);
        }
    }
}
