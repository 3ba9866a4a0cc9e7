//! The mail queue: callers do not wait for the mail server, and its failures lose no mail.

use std::sync::Arc;
use std::time::Duration;

use bolide::chance::SystemChance;
use bolide::clock::{Clock as _, MovableClock};
use bolide::keys::KeyRing;
use bolide::mail::{
    Delivery, EnqueueError, Mail, MailKind, MailQueue, MailSeal, MailState, Mailer, MemoryMailer, MemoryOutgoing,
    OutgoingMail, SmtpMailer,
};
use bolide::store::SqlStore;
use bolide::testing::{SinkBehaviour, SmtpSink};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{code_for, seal};
use crate::waiting::soon;

/// A queue with a worker and a mail server, and a clock that can be moved.
struct Post {
    sink: SmtpSink,
    clock: MovableClock,
    outgoing: MemoryOutgoing,
    queue: MailQueue,
}

impl Post {
    async fn new() -> Self {
        let sink = SmtpSink::start().await.expect("a free port");
        let (clock, outgoing) = (MovableClock::default(), MemoryOutgoing::default());
        let queue = queue(&outgoing, &clock);
        Self { sink, clock, outgoing, queue }
    }

    fn mailer(&self) -> Arc<dyn Mailer> {
        Arc::new(SmtpMailer::new(&self.sink.url(), "no-reply@example.com".parse().expect("a sender")).expect("a URL"))
    }

    fn start(&self) -> Working {
        Working::start(&self.queue, self.mailer())
    }
}

fn queue(outgoing: &MemoryOutgoing, clock: &MovableClock) -> MailQueue {
    MailQueue::new(Arc::new(outgoing.clone()), seal(), Arc::new(clock.clone())).polling_every(Duration::from_millis(5))
}

/// A worker that stops when it is dropped.
struct Working {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Working {
    fn start(queue: &MailQueue, mailer: Arc<dyn Mailer>) -> Self {
        let (queue, stop) = (queue.clone(), CancellationToken::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move { queue.work(mailer, stopped.cancelled_owned()).await });
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        soon(self.task).await.expect("the worker ends well");
    }
}

/// Waits until the list of mails is as expected.
async fn until_listed(queue: &MailQueue, mut expected: impl FnMut(&[OutgoingMail]) -> bool) -> Vec<OutgoingMail> {
    soon(async {
        loop {
            let list = queue.list(100).await.expect("a list");
            if expected(&list) {
                return list;
            }
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
}

fn is_given_up(mail: &OutgoingMail) -> bool {
    matches!(mail.state, MailState::GivenUp(_))
}

async fn until_failed_once(queue: &MailQueue) -> Vec<OutgoingMail> {
    until_listed(queue, |list| list.iter().any(|mail| mail.failures == 1)).await
}

async fn until_empty(queue: &MailQueue) {
    until_listed(queue, <[_]>::is_empty).await;
}

#[tokio::test]
async fn a_mail_is_sent_in_the_background_and_then_removed() {
    let post = Post::new().await;
    let worker = post.start();

    post.queue.enqueue(&code_for("alice@example.com")).await.expect("it is stored");

    assert_eq!(post.sink.wait_for("alice@example.com").await.text, "Your code is 123-456");
    until_empty(&post.queue).await;
    worker.end().await;
}

#[tokio::test]
async fn storing_a_mail_wakes_the_worker() {
    let post = Post::new().await;
    let queue = post.queue.clone().polling_every(Duration::from_hours(1));
    let worker = Working::start(&queue, post.mailer());
    queue.enqueue(&code_for("alice@example.com")).await.expect("it is stored");
    post.sink.wait_for("alice@example.com").await;
    until_empty(&queue).await;

    queue.enqueue(&code_for("bob@example.com")).await.expect("it is stored");

    post.sink.wait_for("bob@example.com").await;
    worker.end().await;
}

#[tokio::test]
async fn an_interrupted_mail_is_retried_after_thirty_seconds() {
    let post = Post::new().await;
    post.sink.behave(SinkBehaviour::BreakOff);
    let worker = post.start();
    let stored_at = post.clock.now();
    post.queue.enqueue(&code_for("alice@example.com")).await.expect("it is stored");

    let failed = until_failed_once(&post.queue).await.remove(0);
    assert!(failed.last_error.is_some());
    let MailState::Waiting(next) = failed.state else { panic!("it waits: {failed:?}") };
    assert!(next >= stored_at.plus(Duration::from_secs(30)) && next < stored_at.plus(Duration::from_mins(1)));
    assert_eq!(post.sink.received(), []);

    post.sink.behave(SinkBehaviour::Accept);
    post.clock.advance(Duration::from_secs(31));

    post.sink.wait_for("alice@example.com").await;
    until_empty(&post.queue).await;
    worker.end().await;
}

#[tokio::test]
async fn a_restart_loses_no_mail() {
    let post = Post::new().await;
    post.sink.behave(SinkBehaviour::TryLater);
    let worker = post.start();
    post.queue.enqueue(&code_for("alice@example.com")).await.expect("it is stored");
    until_failed_once(&post.queue).await;
    worker.end().await;
    post.queue.enqueue(&code_for("bob@example.com")).await.expect("it is stored without a worker");

    post.sink.behave(SinkBehaviour::Accept);
    post.clock.advance(Duration::from_mins(1));
    let after_restart = queue(&post.outgoing, &post.clock);
    let worker = Working::start(&after_restart, post.mailer());

    post.sink.wait_for("alice@example.com").await;
    post.sink.wait_for("bob@example.com").await;
    until_empty(&after_restart).await;
    worker.end().await;
}

#[tokio::test]
async fn a_worker_that_stops_finishes_its_mail_and_starts_no_other() {
    let post = Post::new().await;
    post.sink.behave(SinkBehaviour::Delay(Duration::from_millis(200)));
    let worker = post.start();
    post.queue.enqueue(&code_for("alice@example.com")).await.expect("it is stored");
    post.sink.wait_for_attempts(1).await;

    worker.end().await;

    assert_eq!(post.sink.received().len(), 1);
    assert_eq!(post.queue.list(100).await.expect("a list"), []);
    post.queue.enqueue(&code_for("bob@example.com")).await.expect("it is stored");
    assert_eq!(post.queue.list(100).await.expect("a list").len(), 1);
}

#[tokio::test]
async fn a_rejected_address_does_not_delay_other_mails() {
    let post = Post::new().await;
    let worker = post.start();
    let mut mail = code_for("no address");
    mail.to.push("alice@example.com".into());

    let ids = post.queue.enqueue(&mail).await.expect("it is stored");

    assert_eq!(post.sink.wait_for("alice@example.com").await.to, ["alice@example.com"]);
    let list = until_listed(&post.queue, |list| list.iter().all(is_given_up)).await;
    assert_eq!(list.iter().map(|mail| mail.id).collect::<Vec<_>>(), [ids[0]]);
    worker.end().await;
}

#[tokio::test]
async fn a_rejected_mail_is_listed_as_failed_and_can_be_retried() {
    let post = Post::new().await;
    post.sink.behave(SinkBehaviour::Refuse);
    let worker = post.start();
    let ids = post.queue.enqueue(&code_for("alice@example.com")).await.expect("it is stored");

    let given_up = until_listed(&post.queue, |list| list.iter().all(is_given_up)).await.remove(0);
    assert_eq!((given_up.id, given_up.kind, given_up.failures), (ids[0], MailKind::TwoFactorCode, 1));
    assert!(given_up.last_error.as_ref().is_some_and(|error| error.contains("550")), "{given_up:?}");
    assert!(!format!("{given_up:?}").contains("123"), "{given_up:?}");

    post.sink.behave(SinkBehaviour::Accept);
    assert!(post.queue.retry(ids[0]).await.expect("the store answers"));
    post.sink.wait_for("alice@example.com").await;
    until_empty(&post.queue).await;
    assert!(!post.queue.retry(ids[0]).await.expect("the store answers"), "it is gone");
    worker.end().await;
}

#[tokio::test]
async fn a_code_that_has_expired_is_not_sent() {
    let post = Post::new().await;
    let expires_at = Some(post.clock.now().plus(Duration::from_mins(10)));
    let mut mail = code_for("alice@example.com");
    mail.expires_at = expires_at;
    post.queue.enqueue(&mail).await.expect("it is stored");
    post.clock.advance(Duration::from_mins(11));

    let worker = post.start();

    until_listed(&post.queue, |list| list.iter().all(is_given_up)).await;
    worker.end().await;
    assert_eq!(post.sink.received(), []);
}

#[tokio::test]
async fn a_failed_mail_is_removed_after_a_week() {
    let post = Post::new().await;
    let worker = post.start();
    post.queue.enqueue(&code_for("no address")).await.expect("it is stored");
    until_listed(&post.queue, |list| list.iter().all(is_given_up)).await;
    worker.end().await;

    post.clock.advance(Duration::from_hours(8 * 24));
    let worker = post.start();

    until_empty(&post.queue).await;
    worker.end().await;
}

#[tokio::test]
async fn the_number_of_waiting_mails_is_limited() {
    let post = Post::new().await;
    let queue = post.queue.clone().with_capacity(2);
    for _ in 0..2 {
        queue.enqueue(&code_for("alice@example.com")).await.expect("there is room");
    }

    let refused = queue.enqueue(&code_for("alice@example.com")).await.expect_err("it is full");

    assert!(matches!(refused, EnqueueError::Full(2)));
    assert!(refused.to_string().contains("`MAIL_URL`"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_does_not_deadlock_with_a_store_of_one_connection() {
    let store = Arc::new(SqlStore::open("sqlite::memory:").await.expect("a store"));
    let queue =
        MailQueue::new(store, seal(), Arc::new(MovableClock::default())).polling_every(Duration::from_millis(1));
    let mailer = MemoryMailer::default();
    let working = Working::start(&queue, Arc::new(mailer.clone()));

    for number in 0..100 {
        queue.enqueue(&code_for(&format!("user-{number}@example.com"))).await.expect("room in the queue");
    }

    until_empty(&queue).await;
    assert_eq!(mailer.sent().len(), 100);
    working.end().await;
}

#[tokio::test]
async fn two_workers_on_one_store_send_each_mail_once() {
    let post = Post::new().await;
    for number in 0..50 {
        post.queue.enqueue(&code_for(&format!("user-{number}@example.com"))).await.expect("it is stored");
    }
    let mailer = MemoryMailer::default();
    let other_node = queue(&post.outgoing, &post.clock);

    let workers = [&post.queue, &other_node].map(|queue| Working::start(queue, Arc::new(mailer.clone())));
    until_empty(&post.queue).await;
    for worker in workers {
        worker.end().await;
    }

    let mut addresses: Vec<_> = mailer.sent().into_iter().flat_map(|mail| mail.to).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!((addresses.len(), mailer.sent().len()), (50, 50));
}

/// Panics for one address, hangs for another, and delivers the rest.
struct Faulty(MemoryMailer);

impl Mailer for Faulty {
    fn deliver<'mail>(&'mail self, mail: &'mail Mail) -> Delivery<'mail> {
        match mail.to[0].as_str() {
            "panic@example.com" => panic!("a fault in an application's mailer"),
            "slow@example.com" => Box::pin(std::future::pending()),
            _ => self.0.deliver(mail),
        }
    }
}

#[tokio::test]
async fn a_mailer_that_panics_or_hangs_does_not_delay_other_mails() {
    let post = Post::new().await;
    let delivered = MemoryMailer::default();
    let worker = Working::start(&post.queue, Arc::new(Faulty(delivered.clone())));
    for address in ["panic@example.com", "slow@example.com", "alice@example.com"] {
        post.queue.enqueue(&code_for(address)).await.expect("it is stored");
    }

    let list = until_listed(&post.queue, |list| list.len() == 2 && list.iter().any(|mail| mail.failures == 1)).await;

    assert_eq!(delivered.sent().len(), 1);
    assert_eq!(list[1].last_error.as_deref(), Some("the mailer panicked"));
    worker.task.abort();
}

#[tokio::test]
async fn mails_that_wait_are_sealed_again_after_a_rotation_and_sent() {
    let (outgoing, clock, mailer) = (MemoryOutgoing::default(), MovableClock::default(), MemoryMailer::default());
    let with = |keys: &KeyRing| {
        let seal = MailSeal::new(Arc::new(keys.clone()), Arc::new(SystemChance));
        MailQueue::new(Arc::new(outgoing.clone()), seal, Arc::new(clock.clone()))
    };
    let old = KeyRing::generate(&SystemChance);
    with(&old).enqueue(&code_for("alice@example.com")).await.expect("it is stored");
    let rotated = old.rotate(&SystemChance);
    assert_eq!(with(&rotated).reseal().await.expect("they are sealed"), 1);
    assert_eq!(with(&rotated).reseal().await.expect("they are sealed"), 0);
    let text = rotated.to_text();
    let only_new = KeyRing::parse(text.expose().lines().next().expect("a key")).expect("a ring");

    let working = Working::start(&with(&only_new), Arc::new(mailer.clone()));

    until_empty(&with(&only_new)).await;
    assert_eq!(mailer.sent()[0].text, "Your code is 123-456");
    working.end().await;
}

#[tokio::test]
async fn a_mail_that_none_of_the_keys_opens_is_given_up_with_the_reason() {
    let (outgoing, clock) = (MemoryOutgoing::default(), MovableClock::default());
    queue(&outgoing, &clock).enqueue(&code_for("alice@example.com")).await.expect("it is stored");
    let seal = MailSeal::new(Arc::new(KeyRing::generate(&SystemChance)), Arc::new(SystemChance));
    let other = MailQueue::new(Arc::new(outgoing), seal, Arc::new(clock));
    let working = Working::start(&other, Arc::new(MemoryMailer::default()));

    let list = until_listed(&other, |list| list.iter().all(is_given_up)).await;

    let reason = list[0].last_error.as_deref().expect("a reason");
    assert!(reason.contains("BOLIDE_KEYS"), "{reason}");
    working.end().await;
}
