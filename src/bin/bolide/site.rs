//! How mails and links name the server.

/// What mails and links say about the server.
#[derive(Debug, clap::Args)]
pub(crate) struct SiteArguments {
    /// Public URL of the server, with which links in mails begin; default for `bolide serve`: the address that it listens on
    #[arg(long, value_name = "URL", env = "BOLIDE_ROOT_URL", value_parser = web_address)]
    pub(crate) root_url: Option<String>,

    /// Name of the site in mails and in authenticator apps
    #[arg(long, value_name = "NAME", env = "BOLIDE_SITE_NAME", default_value = "Bolide")]
    pub(crate) site_name: String,
}

/// Returns the text if it is the beginning of links that browsers follow.
fn web_address(text: &str) -> Result<String, &'static str> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let is_host = host.starts_with(|first: char| first.is_alphanumeric() || first == '[');
    if is_host && !text.contains(char::is_whitespace) {
        Ok(text.to_owned())
    } else {
        Err("a URL such as https://chat.example.com is needed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_site_has_a_scheme_and_a_host() {
        for text in ["https://chat.example.com", "http://localhost:3000/", "https://[::1]:3000/chat"] {
            assert_eq!(web_address(text).as_deref(), Ok(text));
        }
        for text in ["", "chat.example.com", "https://", "https:///chat", "ftp://example.com", "https://a b"] {
            assert!(web_address(text).is_err(), "{text}");
        }
    }
}
