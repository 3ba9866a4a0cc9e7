//! Ids and secrets, random and seeded.

use std::collections::HashMap;

use bolide_protocol::{RandomStream, random};
use rand::SeedableRng;
use rand::rngs::StdRng;

const UNMISTAKABLE: &str = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

#[test]
fn ids_have_meteors_length_and_alphabet() {
    let mut rng = rng();
    let id = random::id(&mut rng);
    assert_eq!(id.len(), 17);
    assert!(id.chars().all(|character| UNMISTAKABLE.contains(character)));
    let digits = random::hex_string(&mut rng, 20);
    assert_eq!(digits.len(), 20);
    assert!(digits.chars().all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit)));
    let secret = random::secret(&mut rng);
    assert_eq!(secret.len(), 43);
    assert!(secret.chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_'));
}

#[test]
fn all_characters_are_equally_likely() {
    let drawn = random::id_of_length(&mut rng(), UNMISTAKABLE.len() * 10_000);
    let mut counts = HashMap::new();
    drawn.chars().for_each(|character| *counts.entry(character).or_insert(0) += 1);
    assert_eq!(counts.len(), UNMISTAKABLE.len());
    assert!(counts.values().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
}

#[test]
fn ids_of_any_length_can_be_drawn() {
    assert_eq!(random::id_of_length(&mut rng(), 0), "");
    assert_eq!(random::secret_of_length(&mut rng(), 5).len(), 5);
}

#[test]
fn a_stream_continues_where_it_stopped() {
    let mut random = RandomStream::new("seed");
    let (first, second) = (random.stream("coll").id(), random.stream("coll").id());
    assert_eq!((first.as_str(), second.as_str()), ("zGjfzTYSF8QZMrCFJ", "6zBm444BrpmyhC6qQ"));
}

#[test]
fn streams_are_independent() {
    let mut random = RandomStream::new("seed");
    random.stream("other").id();
    random.rpc_seed("method");
    assert_eq!(random.stream("coll").id(), "zGjfzTYSF8QZMrCFJ");
}
