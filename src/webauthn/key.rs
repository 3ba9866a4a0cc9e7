//! [`PublicKey`]: the public key of a credential, in the COSE format, and its signatures: ES256, `EdDSA` (Ed25519) and RS256.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::Mistake;
use super::cbor::{Key, Reader};

/// The algorithms by their COSE numbers, the preferred one first: `EdDSA`, ES256, RS256.
pub(crate) const ALGORITHMS: [i64; 3] = [-8, -7, -257];

/// The sizes of an RSA modulus, in bytes: 2048 to 4096 bits. The check of a longer one would take too long.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

const LONGEST_RSA_EXPONENT: usize = 4;

/// A public key. Borrowed from the bytes that it was read from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PublicKey<'bytes> {
    /// ECDSA with SHA-256 on P-256: the uncompressed point.
    Es256([u8; 65]),
    /// Ed25519.
    EdDsa(&'bytes [u8]),
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 { modulus: &'bytes [u8], exponent: &'bytes [u8] },
}

/// The members of a COSE key that matter.
#[derive(Default)]
struct Members<'bytes> {
    kind: Option<i64>,
    algorithm: Option<i64>,
    /// The curve, or the modulus of RSA.
    first: Option<First<'bytes>>,
    /// The x coordinate, or the exponent of RSA.
    second: Option<&'bytes [u8]>,
    y: Option<&'bytes [u8]>,
}

enum First<'bytes> {
    Curve(i64),
    Modulus(&'bytes [u8]),
}

impl<'bytes> PublicKey<'bytes> {
    /// Reads a key that takes up all of these bytes.
    pub(super) fn read(bytes: &'bytes [u8]) -> Result<Self, Mistake> {
        let mut reader = Reader::new(bytes, Mistake::Key);
        let members = Members::read(&mut reader)?;
        if !reader.rest().is_empty() {
            return Err(Mistake::Key);
        }
        members.key().ok_or(Mistake::Key)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Mistake> {
        let outcome = match self {
            Self::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature),
            Self::EdDsa(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        };
        outcome.map_err(|_| Mistake::Signature)
    }
}

impl<'bytes> Members<'bytes> {
    fn read(reader: &mut Reader<'bytes>) -> Result<Self, Mistake> {
        let mut members = Self::default();
        for _ in 0..reader.map()? {
            let is_new = match reader.key()? {
                Key::Number(1) => members.kind.replace(reader.number()?).is_none(),
                Key::Number(3) => members.algorithm.replace(reader.number()?).is_none(),
                // The type comes first in the canonical order, in which authenticators write keys.
                Key::Number(-1) if members.kind == Some(3) => {
                    members.first.replace(First::Modulus(reader.bytes()?)).is_none()
                }
                Key::Number(-1) => members.first.replace(First::Curve(reader.number()?)).is_none(),
                Key::Number(-2) => members.second.replace(reader.bytes()?).is_none(),
                Key::Number(-3) => members.y.replace(reader.bytes()?).is_none(),
                Key::Number(_) | Key::Text(_) => return Err(Mistake::Key),
            };
            if !is_new {
                return Err(Mistake::Key);
            }
        }
        Ok(members)
    }

    fn key(self) -> Option<PublicKey<'bytes>> {
        match (self.kind?, self.algorithm?, self.first?, self.second?, self.y) {
            (2, -7, First::Curve(1), x, Some(y)) if x.len() == 32 && y.len() == 32 => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                Some(PublicKey::Es256(point))
            }
            (1, -8, First::Curve(6), x, None) if x.len() == 32 => Some(PublicKey::EdDsa(x)),
            (3, -257, First::Modulus(modulus), exponent, None)
                if RSA_BYTES.contains(&modulus.len()) && (1..=LONGEST_RSA_EXPONENT).contains(&exponent.len()) =>
            {
                Some(PublicKey::Rs256 { modulus, exponent })
            }
            _ => None,
        }
    }
}
