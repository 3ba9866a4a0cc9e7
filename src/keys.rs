//! [`KeyRing`]: the keys that seal secrets at rest and that codes are hashed with. With the database alone, a secret cannot
//! be read, and a code of six digits cannot be guessed.
//!
//! A ring has a current key and can have older ones, which open what was sealed with them until it is sealed again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::chance::Chance;
use crate::store::{KeyedHash, Sealed};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A set of numbered keys, the current one first. `Debug` does not show them.
///
/// ```
/// use bolide::chance::SystemChance;
/// use bolide::keys::KeyRing;
///
/// let keys = KeyRing::generate(&SystemChance);
/// let sealed = keys.seal(b"a secret", "whose it is", &SystemChance);
/// assert_eq!(keys.open(&sealed, "whose it is").unwrap().expose(), b"a secret");
/// assert!(keys.open(&sealed, "another user's").is_none());
///
/// let rotated = keys.rotate(&SystemChance);
/// assert!(rotated.open(&sealed, "whose it is").is_some());
/// assert!(KeyRing::parse(rotated.to_text().expose()).is_ok());
/// ```
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: u32,
    bytes: [u8; KEY_BYTES],
}

/// A key ring as text. It is wiped from memory when it is dropped, and `Debug` does not show it.
pub struct KeyText(Zeroizing<String>);

/// A secret in the clear. It is wiped from memory when it is dropped, and `Debug` does not show it.
pub struct OpenedSecret(Zeroizing<Vec<u8>>);

/// Why keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not a key ring.
    #[error(
        "the keys are malformed: each line must be a number, a colon and {KEY_BYTES} bytes in base64, the current key first"
    )]
    Malformed,
    /// The file does not contain a key ring.
    #[error("the key file {path} is malformed: each line must be a number, a colon and {KEY_BYTES} bytes in base64")]
    MalformedFile {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the key file {path} cannot be {action}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What could not be done: `read` or `written`.
        action: &'static str,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// Other users of the machine can read the file.
    #[error("the key file {path} can be read by other users of this machine; run `chmod 600` on it")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
}

impl KeyRing {
    /// Returns a ring with one new key.
    #[must_use]
    pub fn generate(chance: &dyn Chance) -> Self {
        Self { keys: vec![Key::generate(1, chance)] }
    }

    /// Parses a ring from the format of [`to_text`](Self::to_text).
    ///
    /// # Errors
    /// Returns [`KeyError::Malformed`] if the text is not a key ring.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let lines = text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty());
        let keys = lines.map(Key::parse).collect::<Option<Vec<_>>>().ok_or(KeyError::Malformed)?;
        if keys.is_empty() { Err(KeyError::Malformed) } else { Ok(Self { keys }) }
    }

    /// Reads a ring from a file. If the file is missing, it is created with one new key and mode 0600.
    ///
    /// # Errors
    /// Returns a [`KeyError`], whose message names the file.
    pub fn open_file(path: &Path, chance: &dyn Chance) -> Result<Self, KeyError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let new = Self::generate(chance);
                new.write_file(path)?;
                return Ok(new);
            }
            Err(reason) => return Err(KeyError::File { path: path.to_owned(), action: "read", reason }),
        };
        if is_exposed(path) {
            return Err(KeyError::Exposed { path: path.to_owned() });
        }
        Self::parse(&text).map_err(|_| KeyError::MalformedFile { path: path.to_owned() })
    }

    /// Writes the ring to a file with mode 0600. The file is replaced only when the new one is complete.
    ///
    /// # Errors
    /// Returns [`KeyError::File`] if the file cannot be written.
    pub fn write_file(&self, path: &Path) -> Result<(), KeyError> {
        let failed = |reason| KeyError::File { path: path.to_owned(), action: "written", reason };
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        write_private(Path::new(&new), self.to_text().expose().as_bytes()).map_err(failed)?;
        std::fs::rename(&new, path).map_err(failed)
    }

    /// Returns the ring as text, one key per line, the current one first.
    #[must_use]
    pub fn to_text(&self) -> KeyText {
        let line = |key: &Key| format!("{}:{}\n", key.id, BASE64.encode(&key.bytes));
        KeyText(Zeroizing::new(self.keys.iter().map(line).collect()))
    }

    /// Returns the ring with a new current key.
    #[must_use]
    pub fn rotate(&self, chance: &dyn Chance) -> Self {
        let id = self.keys.iter().map(|key| key.id).max().unwrap_or(0).saturating_add(1);
        let mut keys = vec![Key::generate(id, chance)];
        keys.extend(self.keys.iter().cloned());
        Self { keys }
    }

    /// Returns whether a secret is sealed with the current key.
    #[must_use]
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        sealed.as_bytes().get(..4) == Some(self.keys[0].id.to_be_bytes().as_slice())
    }

    /// Seals a secret with the current key. It can be opened only with the same `owner`.
    #[must_use]
    pub fn seal(&self, secret: &[u8], owner: &str, chance: &dyn Chance) -> Sealed {
        let key = &self.keys[0];
        let mut nonce = [0; NONCE_BYTES];
        chance.fill(&mut nonce);
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let ciphertext = key.cipher().encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        let mut sealed = key.id.to_be_bytes().to_vec();
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Sealed::new(sealed)
    }

    /// Returns the secret that was sealed for `owner`, or `None` if it was sealed for another owner or with a key that is not in
    /// the ring.
    #[must_use]
    pub fn open(&self, sealed: &Sealed, owner: &str) -> Option<OpenedSecret> {
        let (id, rest) = sealed.as_bytes().split_first_chunk::<4>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let id = u32::from_be_bytes(*id);
        let key = self.keys.iter().find(|key| key.id == id)?;
        let payload = Payload { msg: ciphertext, aad: owner.as_bytes() };
        key.cipher().decrypt(&XNonce::from(*nonce), payload).ok().map(|secret| OpenedSecret(Zeroizing::new(secret)))
    }

    /// Returns the hash of a code or link under the current key. It depends on `purpose` and `owner`, so that the same code
    /// for another purpose or user has another hash.
    #[must_use]
    pub fn hash(&self, purpose: &str, owner: &str, secret: &str) -> KeyedHash {
        self.keys[0].hash(purpose, owner, secret)
    }

    /// Returns the hashes under all keys, to find what may have been stored before a rotation.
    #[must_use]
    pub fn hashes(&self, purpose: &str, owner: &str, secret: &str) -> Vec<KeyedHash> {
        self.keys.iter().map(|key| key.hash(purpose, owner, secret)).collect()
    }
}

impl Key {
    fn generate(id: u32, chance: &dyn Chance) -> Self {
        let mut bytes = [0; KEY_BYTES];
        chance.fill(&mut bytes);
        Self { id, bytes }
    }

    fn parse(line: &str) -> Option<Self> {
        let (id, key) = line.split_once(':')?;
        let decoded = Zeroizing::new(BASE64.decode(key.as_bytes()).ok()?);
        Some(Self { id: id.parse().ok()?, bytes: decoded.as_slice().try_into().ok()? })
    }

    /// Returns the key for sealing or hashing, each of which is derived from this one.
    fn derive(&self, what: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut mac = mac(&self.bytes);
        mac.update(what.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = self.derive("bolide: seal");
        XChaCha20Poly1305::new((&*key).into())
    }

    fn hash(&self, purpose: &str, owner: &str, secret: &str) -> KeyedHash {
        let mut mac = mac(&self.derive("bolide: hash"));
        for part in [purpose, owner, secret] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        KeyedHash::new(format!("{}:{}", self.id, BASE64.encode(&mac.finalize().into_bytes())))
    }
}

/// Returns the HMAC with this key. HMAC pads a short key with zeros, which is done here to avoid a fallible constructor.
fn mac(key: &[u8; KEY_BYTES]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_BYTES].copy_from_slice(key);
    <Hmac<Sha256> as hmac::KeyInit>::new((&*block).into())
}

impl KeyText {
    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl OpenedSecret {
    /// Returns the secret.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyText")
    }
}

impl fmt::Debug for OpenedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OpenedSecret")
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyRing").field("count", &self.keys.len()).finish_non_exhaustive()
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
const fn is_exposed(_: &Path) -> bool {
    false
}

/// Writes a file that only its owner can read, and syncs it to the disk.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SystemChance;

    #[test]
    fn a_rotated_ring_opens_older_secrets_and_hashes_with_every_key() {
        let old = KeyRing::generate(&SystemChance);
        let sealed = old.seal(b"x", "a", &SystemChance);
        let new = old.rotate(&SystemChance);
        assert!(!new.is_current(&sealed) && old.is_current(&sealed));
        assert_eq!(new.open(&sealed, "a").unwrap().expose(), b"x");
        assert!(new.hashes("p", "o", "s").contains(&old.hash("p", "o", "s")));
        assert!(old.open(&new.seal(b"x", "a", &SystemChance), "a").is_none());
    }

    #[test]
    fn a_secret_that_was_tampered_with_is_not_opened() {
        let keys = KeyRing::generate(&SystemChance);
        let sealed = keys.seal(b"secret", "a", &SystemChance);
        for at in 0..sealed.as_bytes().len() {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[at] ^= 1;
            assert!(keys.open(&Sealed::new(bytes), "a").is_none(), "byte {at}");
        }
        assert!(keys.open(&Sealed::new(Vec::new()), "a").is_none());
    }

    #[test]
    fn a_hash_depends_on_every_part_and_on_their_boundaries() {
        let keys = KeyRing::generate(&SystemChance);
        let hash = keys.hash("ab", "c", "d");
        for other in [("a", "bc", "d"), ("ab", "c", "e"), ("ab", "cd", "")] {
            assert_ne!(hash, keys.hash(other.0, other.1, other.2));
        }
    }

    #[test]
    fn a_new_key_file_is_private_and_is_read_back() {
        let directory = std::env::temp_dir().join(format!("bolide-keys-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("bolide.key");
        let made = KeyRing::open_file(&path, &SystemChance).unwrap();
        let again = KeyRing::open_file(&path, &SystemChance).unwrap();
        assert_eq!(made.to_text().expose(), again.to_text().expose());
        assert!(!is_exposed(&path));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(KeyRing::open_file(&path, &SystemChance), Err(KeyError::Exposed { .. })));
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_malformed_key_ring_is_rejected() {
        for text in ["", "x", "1:AAAA", "one:", ":"] {
            assert!(KeyRing::parse(text).is_err(), "{text}");
        }
    }
}
