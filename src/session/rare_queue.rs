//! [`RareQueue`]: a queue that most sessions never use, and that takes one word of memory while it is empty.

use std::collections::VecDeque;

pub(super) struct RareQueue<T> {
    #[expect(clippy::box_collection, reason = "an empty `VecDeque` takes four words")]
    items: Option<Box<VecDeque<T>>>,
}

impl<T> RareQueue<T> {
    pub(super) const fn is_empty(&self) -> bool {
        self.items.is_none()
    }

    pub(super) fn push(&mut self, item: T) {
        self.items.get_or_insert_default().push_back(item);
    }

    /// Takes the oldest item.
    pub(super) fn pop(&mut self) -> Option<T> {
        let items = self.items.as_mut()?;
        let oldest = items.pop_front();
        if items.is_empty() {
            self.items = None;
        }
        oldest
    }

    /// Takes all items, the oldest first.
    pub(super) fn take(&mut self) -> impl Iterator<Item = T> {
        self.items.take().into_iter().flat_map(|items| *items)
    }
}

impl<T> Default for RareQueue<T> {
    fn default() -> Self {
        Self { items: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_leave_in_order_and_the_last_one_leaves_no_memory() {
        let mut queue = RareQueue::default();
        assert!(queue.is_empty());
        (1..=3).for_each(|number| queue.push(number));
        assert_eq!((queue.pop(), queue.is_empty()), (Some(1), false));
        assert_eq!(queue.take().collect::<Vec<_>>(), [2, 3]);
        queue.push(4);
        assert_eq!((queue.pop(), queue.is_empty()), (Some(4), true));
        assert_eq!(queue.pop(), None);
        assert_eq!(size_of::<RareQueue<u64>>(), size_of::<usize>());
    }
}
