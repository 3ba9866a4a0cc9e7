//! [`is_deliverable`]: which addresses a mail can be sent to.

use lettre::Address;

/// Returns whether a mail can be addressed to this text: to one mailbox at a named host. The server decides by the parser
/// that composes mails, so that no address is accepted to which every mail fails.
///
/// A dot at the end of the host and a host in brackets are rejected: they are second spellings of addresses, or numbers.
pub(crate) fn is_deliverable(text: &str) -> bool {
    let Ok(address) = text.parse::<Address>() else { return false };
    !address.domain().ends_with('.') && !address.domain().starts_with('[') && !text.contains([',', ';'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_at_a_named_host_is_deliverable() {
        for good in ["ada@example.com", "ada.lovelace+bolide@mail.example.com", "ädä@exämple.com", "ada@localhost"] {
            assert!(is_deliverable(good), "{good}");
        }
        for bad in ["a@example.com,b@example.com", "<script>@example.com", "a@[127.0.0.1]", "a@example.com.", "a", "@b"]
        {
            assert!(!is_deliverable(bad), "{bad}");
        }
    }
}
