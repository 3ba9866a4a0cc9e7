//! [`Notifications`]: leaves the notifications out of what a PostgreSQL server sends.

/// What is known of the stream so far. A message has a byte for its kind, four bytes for its length with these four, and
/// what the length says.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    /// What has arrived of the first five bytes of a message.
    head: Vec<u8>,
    /// How much of the message is still to come.
    missing: usize,
    is_left_out: bool,
}

/// The kind of a notification.
const NOTIFICATION: u8 = b'A';

impl Notifications {
    /// Returns what is to be sent on.
    pub(super) fn filter(&mut self, mut bytes: &[u8], are_left_out: bool) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        while let Some((first, rest)) = bytes.split_first() {
            if self.missing > 0 {
                let (now, later) = bytes.split_at(self.missing.min(bytes.len()));
                if !self.is_left_out {
                    kept.extend_from_slice(now);
                }
                self.missing -= now.len();
                bytes = later;
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            if let [kind, length @ ..] = &*self.head
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.missing = usize::try_from(u32::from_be_bytes(length)).unwrap_or_default().saturating_sub(4);
                self.is_left_out = are_left_out && *kind == NOTIFICATION;
                if !self.is_left_out {
                    kept.extend_from_slice(&self.head);
                }
                self.head.clear();
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::Notifications;

    const MESSAGES: &[u8] = b"R\0\0\0\x08\0\0\0\0A\0\0\0\x06hiZ\0\0\0\x05I";

    #[test]
    fn notifications_are_left_out_however_the_bytes_are_divided() {
        for size in 1..MESSAGES.len() {
            let mut filter = Notifications::default();
            let kept: Vec<u8> = MESSAGES.chunks(size).flat_map(|part| filter.filter(part, true)).collect();
            assert_eq!(kept, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", "{size}");
            let mut filter = Notifications::default();
            let kept: Vec<u8> = MESSAGES.chunks(size).flat_map(|part| filter.filter(part, false)).collect();
            assert_eq!(kept, MESSAGES, "{size}");
        }
    }
}
