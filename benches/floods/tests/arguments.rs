use crate::arguments::Arguments;
use crate::flood::FLOODS;
use crate::measurement::Times;

fn parse(words: &[&str]) -> Arguments {
    Arguments::parse(words.iter().map(|word| (*word).to_owned())).unwrap()
}

#[test]
fn all_floods_are_measured_unless_some_are_named() {
    let Arguments::Compare(all) = parse(&["--bench"]) else { panic!("not a comparison") };
    assert_eq!(all.floods.len(), FLOODS.len());
    let Arguments::Compare(one) = parse(&["--bench", "sign-ups", "--quick"]) else { panic!("not a comparison") };
    assert_eq!(one.floods.iter().map(|flood| flood.name).collect::<Vec<_>>(), ["sign-ups"]);
    assert_eq!(one.times, Times::QUICK);
}

#[test]
fn other_tools_get_no_measurement() {
    assert!(matches!(parse(&[]), Arguments::DoNothing));
    assert!(matches!(parse(&["--list", "--format", "terse"]), Arguments::DoNothing));
}

#[test]
fn an_unknown_flood_or_program_is_an_error() {
    for words in [&["--bench", "no-such-flood"][..], &["--bench", "--server", "/no/such/file"]] {
        assert!(Arguments::parse(words.iter().map(|word| (*word).to_owned())).is_err(), "{words:?}");
    }
}
