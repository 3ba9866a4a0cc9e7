use crate::attack::{Attack, Toll, in_parallel};

#[test]
fn what_was_refused_is_counted() {
    let attack = Attack::on("127.0.0.1:9".parse().unwrap());
    assert_eq!(attack.attempt(|| Ok(5)), Some(5));
    assert_eq!(attack.attempt(|| Err::<(), _>("no".into())), None);
    in_parallel(3, |number| attack.note_sent(number));
    assert_eq!(attack.toll(), Toll { sent: 5, refused: 1 });
}
