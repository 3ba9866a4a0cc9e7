//! Ids on which client and server agree: both draw them from generators that start with the same seed.
//!
//! A client that simulates a method sends its `randomSeed` along, and the server then gives new documents the ids that
//! the client has given them already.

use std::array;
use std::collections::HashMap;

use crate::ejson::ObjectId;
use crate::random::{Alphabet, BASE64, HEXADECIMAL, ID_LENGTH, SECRET_LENGTH, UNMISTAKABLE};

/// The generators of one method call, one for each name.
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

/// The name of the stream that is used where none is named.
pub const DEFAULT_STREAM: &str = "default";

impl RandomStream {
    /// Streams that start from `seed`: the `randomSeed` of the call, or 20 random hexadecimal digits if it brought none.
    #[must_use]
    pub fn new(seed: impl Into<String>) -> Self {
        Self { seed: seed.into(), streams: HashMap::new() }
    }

    /// The stream of this name. It goes on where its last use ended.
    pub fn stream(&mut self, name: &str) -> &mut Alea {
        let seed = &self.seed;
        self.streams.entry(name.to_owned()).or_insert_with(|| Alea::new(&[seed, name]))
    }

    /// The stream from which the ids of a collection come.
    pub fn collection(&mut self, name: &str) -> &mut Alea {
        self.stream(&format!("/collection/{name}"))
    }

    /// The seed for a method that this method calls.
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

/// Johannes Baagøe's generator Alea 0.9. It is predictable: never draw secrets from it that must stay secret.
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
    /// A generator that starts from all the seeds, in their order.
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

    /// The next number, from 0 up to but not 1.
    pub fn fraction(&mut self) -> f64 {
        let [first, second, third] = self.state;
        let product = 2_091_639.0 * first + self.carry * TWO_POW_MINUS_32;
        self.carry = product.trunc();
        let next = product - self.carry;
        self.state = [second, third, next];
        next
    }

    /// An id of 17 characters.
    pub fn id(&mut self) -> String {
        self.id_of_length(ID_LENGTH)
    }

    /// An id of any length.
    pub fn id_of_length(&mut self, length: usize) -> String {
        self.characters(&UNMISTAKABLE, length)
    }

    /// That many hexadecimal digits, in lower case.
    pub fn hex_string(&mut self, length: usize) -> String {
        self.characters(&HEXADECIMAL, length)
    }

    /// A text of 43 characters.
    pub fn secret(&mut self) -> String {
        self.secret_of_length(SECRET_LENGTH)
    }

    /// A text of any length.
    pub fn secret_of_length(&mut self, length: usize) -> String {
        self.characters(&BASE64, length)
    }

    /// An id as `MongoDB` makes them.
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

/// The hash that spreads the seeds.
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

/// `number >>> 0`
fn to_uint32(number: f64) -> f64 {
    number.trunc().rem_euclid(TWO_POW_32)
}
