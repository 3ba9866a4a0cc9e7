//! Seeded ids: client and server draw the same ids from generators with the same seed.
//!
//! A client that simulates a method sends its `randomSeed` with the call. The server then gives new documents the same
//! ids as the simulation did.

use std::array;
use std::collections::HashMap;

use crate::ejson::ObjectId;
use crate::random::{Alphabet, BASE64, HEXADECIMAL, ID_LENGTH, SECRET_LENGTH, UNMISTAKABLE};

/// The generators of one method call, one per name.
///
/// ```
/// use bolide_protocol::RandomStream;
///
/// let mut random = RandomStream::new("abcdef");
/// assert_eq!(random.collection("foo").id(), "MiH6GZJhksycd6JSe");
/// assert_eq!(random.collection("foo").id(), "7pi7A8ovDsoGACNpc");
/// ```
#[derive(Debug, Clone)]
pub struct RandomStream {
    seed: String,
    streams: HashMap<String, Alea>,
}

/// The name of the stream that is used when the caller does not name one.
pub const DEFAULT_STREAM: &str = "default";

impl RandomStream {
    /// Creates streams from `seed`: the `randomSeed` of the call, or 20 random hexadecimal digits if the call has none.
    #[must_use]
    pub fn new(seed: impl Into<String>) -> Self {
        Self { seed: seed.into(), streams: HashMap::new() }
    }

    /// Returns the stream with this name, or the stream [`default`](DEFAULT_STREAM) if the name is empty, as in Meteor. It
    /// continues where its last use stopped.
    pub fn stream(&mut self, name: &str) -> &mut Alea {
        let name = if name.is_empty() { DEFAULT_STREAM } else { name };
        let seed = &self.seed;
        self.streams.entry(name.to_owned()).or_insert_with(|| Alea::new(&[seed, name]))
    }

    /// Returns the stream from which a collection draws its ids.
    pub fn collection(&mut self, name: &str) -> &mut Alea {
        self.stream(&format!("/collection/{name}"))
    }

    /// Returns the seed for a nested call of `method`.
    ///
    /// ```
    /// use bolide_protocol::RandomStream;
    ///
    /// assert_eq!(RandomStream::new("seed").rpc_seed("foo"), "25775943734ce3106e4a");
    /// ```
    pub fn rpc_seed(&mut self, method: &str) -> String {
        self.stream(&format!("/rpc/{method}")).hex_string(20)
    }
}

/// Johannes Baagøe's generator Alea 0.9. Its output is predictable: do not use it for values that must stay secret.
///
/// ```
/// use bolide_protocol::random_stream::Alea;
///
/// assert_eq!(Alea::new(&["x"]).hex_string(24), "425322671c8642f1e9fcdff1");
/// ```
#[derive(Debug, Clone)]
pub struct Alea {
    state: [f64; 3],
    carry: f64,
}

const TWO_POW_32: f64 = 4_294_967_296.0;
const TWO_POW_MINUS_32: f64 = 2.328_306_436_538_696_3e-10;

impl Alea {
    /// Creates a generator from the seeds; their order matters.
    #[must_use]
    pub fn new(seeds: &[&str]) -> Self {
        let mut mash = Mash::new();
        let mut state = [mash.of(" "), mash.of(" "), mash.of(" ")];
        for seed in seeds {
            for part in &mut state {
                *part -= mash.of(seed);
                if *part < 0.0 {
                    *part += 1.0;
                }
            }
        }
        Self { state, carry: 1.0 }
    }

    /// Returns the next number in the range from 0 (inclusive) to 1 (exclusive).
    pub fn fraction(&mut self) -> f64 {
        let [first, second, third] = self.state;
        let product = 2_091_639.0 * first + self.carry * TWO_POW_MINUS_32;
        self.carry = product.trunc();
        let next = product - self.carry;
        self.state = [second, third, next];
        next
    }

    /// Returns an id of 17 characters.
    pub fn id(&mut self) -> String {
        self.id_of_length(ID_LENGTH)
    }

    /// Returns an id of `length` characters.
    pub fn id_of_length(&mut self, length: usize) -> String {
        self.characters(&UNMISTAKABLE, length)
    }

    /// Returns `length` lower-case hexadecimal digits.
    pub fn hex_string(&mut self, length: usize) -> String {
        self.characters(&HEXADECIMAL, length)
    }

    /// Returns a string of 43 characters in the format of a secret.
    pub fn secret(&mut self) -> String {
        self.secret_of_length(SECRET_LENGTH)
    }

    /// Returns a string of `length` characters in the format of a secret.
    pub fn secret_of_length(&mut self, length: usize) -> String {
        self.characters(&BASE64, length)
    }

    /// Returns an id in `MongoDB`'s format.
    pub fn object_id(&mut self) -> ObjectId {
        ObjectId::from_bytes(array::from_fn(|_| 16 * self.below(16) + self.below(16)))
    }

    fn characters(&mut self, alphabet: &Alphabet, length: usize) -> String {
        (0..length).map(|_| alphabet.character(self.below(alphabet.size()))).collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in 0..bound")]
    fn below(&mut self, bound: u8) -> u8 {
        (self.fraction() * f64::from(bound)) as u8
    }
}

/// The hash function that spreads the seeds.
struct Mash(f64);

impl Mash {
    fn new() -> Self {
        Self(f64::from(0xefc8_249d_u32))
    }

    fn of(&mut self, text: &str) -> f64 {
        for unit in text.encode_utf16() {
            self.0 += f64::from(unit);
            let product = 0.025_196_032_824_169_38 * self.0;
            self.0 = to_uint32(product);
            let product = (product - self.0) * self.0;
            self.0 = to_uint32(product);
            self.0 += (product - self.0) * TWO_POW_32;
        }
        to_uint32(self.0) * TWO_POW_MINUS_32
    }
}

/// Converts as JavaScript's `number >>> 0` does.
fn to_uint32(number: f64) -> f64 {
    number.trunc().rem_euclid(TWO_POW_32)
}
