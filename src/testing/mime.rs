//! [`ReceivedMail`]: a mail as its reader sees it, decoded from what went over the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A mail that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMail {
    /// The address that the envelope says it comes from.
    pub from: String,
    /// The addresses that the envelope says it goes to.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The plain text, with `\n` at the ends of lines.
    pub text: String,
    /// The HTML, if there is any.
    pub html: Option<String>,
    /// All as it went over the wire.
    pub source: String,
}

impl ReceivedMail {
    /// A header by its name, decoded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        Part::of(&self.source).header(name).as_deref().map(decoded_words)
    }

    pub(super) fn read(from: &str, to: &[String], source: &str) -> Self {
        let mail = Part::of(source);
        Self {
            from: from.to_owned(),
            to: to.to_vec(),
            subject: mail.header("Subject").as_deref().map(decoded_words).unwrap_or_default(),
            text: mail.find("text/plain").unwrap_or_default(),
            html: mail.find("text/html"),
            source: source.to_owned(),
        }
    }
}

/// A mail, or a part of one: headers, an empty line, a body.
struct Part<'source> {
    headers: &'source str,
    body: &'source str,
}

impl<'source> Part<'source> {
    fn of(source: &'source str) -> Self {
        let (headers, body) = source.split_once("\r\n\r\n").unwrap_or((source, ""));
        Self { headers, body }
    }

    /// A header, with its continued lines put into one.
    fn header(&self, name: &str) -> Option<String> {
        let unfolded = self.headers.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut headers = unfolded.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }

    /// The body of the first part of this type, decoded.
    fn find(&self, kind: &str) -> Option<String> {
        let own = self.header("Content-Type").unwrap_or_else(|| "text/plain".to_owned());
        match own.split_once("boundary=") {
            Some((_, boundary)) => self.parts(boundary.trim_matches('"')).find_map(|part| part.find(kind)),
            None => own.starts_with(kind).then(|| self.text()),
        }
    }

    fn parts(&self, boundary: &str) -> impl Iterator<Item = Part<'source>> {
        let between = self.body.split(&format!("--{boundary}")).collect::<Vec<_>>();
        between.into_iter().skip(1).filter(|part| !part.starts_with("--")).map(|part| Part::of(part.trim_start()))
    }

    fn text(&self) -> String {
        let bytes = match self.header("Content-Transfer-Encoding").unwrap_or_default().as_str() {
            "base64" => from_base64(self.body),
            "quoted-printable" => from_quoted_printable(&self.body.replace("=\r\n", "")),
            _ => self.body.as_bytes().to_vec(),
        };
        String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim_end().to_owned()
    }
}

/// A header in which words such as `=?utf-8?b?R3LDvMOfZQ==?=` stand for others.
fn decoded_words(header: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = header;
    while let Some((before, word)) = rest.split_once("=?") {
        let mut fields = word.splitn(4, '?');
        let (Some(_charset), Some(encoding), Some(text), Some(after)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            break;
        };
        // The blanks between two such words belong to neither.
        if decoded.is_empty() || !before.trim().is_empty() {
            decoded.extend_from_slice(before.as_bytes());
        }
        decoded.extend(match encoding {
            "b" | "B" => from_base64(text),
            _ => from_quoted_printable(&text.replace('_', " ")),
        });
        rest = after.strip_prefix('=').unwrap_or(after);
    }
    decoded.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&decoded).into_owned()
}

pub(super) fn from_base64(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    STANDARD.decode(text).unwrap_or_default()
}

fn from_quoted_printable(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.split_at_checked(2).filter(|_| byte == b'=');
        let (byte, after) =
            escaped.and_then(|(digits, after)| Some((from_hexadecimal(digits)?, after))).unwrap_or((byte, after));
        decoded.push(byte);
        rest = after;
    }
    decoded
}

fn from_hexadecimal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}
