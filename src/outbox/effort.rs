//! How long a task has worked: long work returns to the runtime from time to time, so that others get their turn.
//!
//! It counts towards the budget that tokio gives each poll of a task. Small steps count in fractions of its units.

use std::cell::Cell;
use std::task::{Context, Poll, Waker};

use tokio::task::coop::{has_budget_remaining, poll_proceed};

/// The number of steps that use one of the 128 units of tokio's budget.
const STEPS_A_UNIT: usize = 4;

/// The number of units after which nothing is left of any budget.
const ALL: usize = 128;

/// The steps of one document that is sent.
pub(crate) const DOCUMENT: usize = 1;

/// The number of documents that are compared with a filter in one step.
pub(crate) const DOCUMENTS_CHECKED_A_STEP: usize = 4;

/// The number of documents that are put on a list in one step.
pub(crate) const DOCUMENTS_LISTED_A_STEP: usize = 16;

/// The steps of one callback that the application runs at the end of a subscription.
pub(crate) const CALLBACK: usize = 8;

/// The steps of one subscription that starts, or that its client ends.
pub(crate) const SUBSCRIPTION: usize = 16;

thread_local! {
    /// The steps that do not make up a unit yet. All tasks of a thread share them, since they are few.
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts steps of the current task.
pub(crate) fn spend(steps: usize) {
    let total = STEPS.get() + steps;
    STEPS.set(total % STEPS_A_UNIT);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..(total / STEPS_A_UNIT).min(ALL) {
        match poll_proceed(&mut context) {
            Poll::Ready(unit) => unit.made_progress(),
            Poll::Pending => return,
        }
    }
}

/// Returns whether the current task has worked enough. It then [gives way](give_way) and returns to the runtime.
pub(crate) fn is_spent() -> bool {
    !has_budget_remaining()
}

/// Has the task continue after others, and after the runtime has looked for input from sockets.
pub(crate) fn give_way(context: &mut Context<'_>) {
    if poll_proceed(context).is_ready() {
        // Something of the budget is left: the runtime does not wake the task.
        context.waker().wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_is_spent_after_many_steps_and_rested_after_its_next_turn() {
        tokio::task::yield_now().await;
        spend(ALL * STEPS_A_UNIT - STEPS_A_UNIT);
        assert!(!is_spent());
        spend(2 * STEPS_A_UNIT);
        assert!(is_spent());
        tokio::task::yield_now().await;
        assert!(!is_spent());
    }
}
