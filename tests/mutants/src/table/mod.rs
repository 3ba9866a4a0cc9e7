//! The mistakes: one line each, with the level that it breaks and the chapters that should notice it.

mod accounts;
mod connection;
mod documents;
mod doors;
mod methods;
mod second_factor;
mod subscriptions;
mod values;

use crate::mutation::Mutation;

pub(crate) fn all() -> Vec<Mutation> {
    [
        connection::mistakes(),
        connection::mistakes_of_heartbeats(),
        methods::mistakes(),
        subscriptions::mistakes(),
        documents::mistakes(),
        values::mistakes(),
        accounts::mistakes(),
        second_factor::mistakes(),
        doors::mistakes(),
        doors::mistakes_of_sockjs(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
