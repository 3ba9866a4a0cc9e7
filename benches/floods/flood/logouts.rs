//! Logouts without a login: each may be written to the audit log.

use crate::attack::{Attack, in_parallel};

const CONNECTIONS: usize = 10;
const CALLS: usize = 30_000;
const AT_ONCE: usize = 50;

pub(super) fn flood(attack: &Attack) {
    in_parallel(CONNECTIONS, |_| {
        let mut client = attack.client();
        for _ in 0..CALLS / CONNECTIONS / AT_ONCE {
            attack.note_sent(AT_ONCE);
            match client.call_repeatedly("logout", "[]", AT_ONCE) {
                Ok(errors) => attack.note_refused(errors),
                Err(_lost) => {
                    attack.note_refused(AT_ONCE);
                    client = attack.client();
                }
            }
        }
    });
}
