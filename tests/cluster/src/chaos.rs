//! [`Chaos`]: rounds of faults, each followed by a rest in which everything must be right.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::future::join_all;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Links};
use crate::crowd::Crowd;
use crate::faults::{Fault, REST, START};
use crate::ledger::Ledger;
use crate::work::budgets;
use crate::work::codes::Codes;
use crate::work::mails::Mails;
use crate::work::sessions::Sessions;
use crate::work::writer::{Writer, insert_shared};

/// A cluster with clients at work.
#[derive(Debug)]
pub(crate) struct Chaos {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    writers: Vec<Writer>,
    pub(crate) sessions: Sessions,
    pub(crate) codes: Codes,
    pub(crate) mails: Mails,
    random: StdRng,
    ports: Vec<u16>,
    /// When the effects of all faults so far must be over.
    right_until: Instant,
    /// When the last fault has ended.
    healed: Instant,
    /// How long it took from then until all documents and mails were right.
    settled: Duration,
}

/// The faults of a round, each with its begin and its duration.
type Schedule = Vec<(Fault, Duration, Duration)>;

impl Chaos {
    pub(crate) async fn start(program: PathBuf, seed: u64) -> anyhow::Result<Self> {
        let cluster = Arc::new(Cluster::start(program, Links::Breakable).await?);
        let ports = cluster.ports().await;
        let crowd = Arc::new(Crowd::connect(&ports).await?);
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let mut random = StdRng::seed_from_u64(seed);
        let mut chance = || StdRng::seed_from_u64(random.random());
        insert_shared(&crowd.members()[0].client, &ledger).await?;
        let mut writers = Vec::new();
        for (number, member) in crowd.members().iter().enumerate() {
            let (client, ledger) = (Arc::clone(&member.client), Arc::clone(&ledger));
            writers.push(Writer::new(i64::try_from(number)?, client, ledger, chance()));
        }
        let sessions = Sessions::new(ports.clone(), Arc::clone(&crowd.members()[0].client), chance());
        let codes = Codes::prepare(&ports, chance()).await?;
        let mails = Mails::new(ports.clone(), chance());
        Ok(Self {
            cluster,
            crowd,
            ledger,
            writers,
            sessions,
            codes,
            mails,
            random,
            ports,
            right_until: Instant::now(),
            healed: Instant::now(),
            settled: Duration::ZERO,
        })
    }

    /// Runs rounds until the time is over, or something is wrong.
    pub(crate) async fn run(&mut self, lasting: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut passed = 0;
        let outcome = self.rounds(start + lasting, &mut passed).await;
        println!("{passed} passed, {} failed, 0 skipped", u32::from(outcome.is_err()));
        println!("it took {} s", start.elapsed().as_secs());
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => anyhow::bail!("{error:#}\n{}", self.cluster.logs().await),
        }
    }

    /// Counts in `passed` the rounds after which everything was right, and the checks at the end.
    async fn rounds(&mut self, until: Instant, passed: &mut u32) -> anyhow::Result<()> {
        while Instant::now() < until {
            let round = *passed + 1;
            let schedule = if round.is_multiple_of(3) { self.alone() } else { self.wild() };
            let is_gentle = schedule.iter().all(|(fault, ..)| fault.is_gentle());
            let what = || format!("in round {round}, after {}", shown(&schedule));
            let wrong = self.round(&schedule, is_gentle).await.with_context(what)?;
            anyhow::ensure!(wrong.is_empty(), "{}:\n{}", what(), wrong.join("\n"));
            println!("round {round}: {} {}", self.summary(), shown(&schedule));
            *passed = round;
        }
        let mut wrong = budgets::check(&self.ports).await?;
        wrong.extend(self.late_mails().await);
        anyhow::ensure!(wrong.is_empty(), "at the end:\n{}", wrong.join("\n"));
        *passed += 1;
        Ok(())
    }

    /// Waits for the last mails, and returns which have not come.
    async fn late_mails(&self) -> Vec<String> {
        let Some(due) = self.mails.due() else { return Vec::new() };
        while self.mails.are_missing(&self.cluster.mails) && Instant::now() < due {
            sleep(Duration::from_millis(200)).await;
        }
        self.mails.check(&self.cluster.mails)
    }

    /// Lets everybody work while faults happen, and returns what is wrong at rest.
    pub(crate) async fn round(&mut self, schedule: &Schedule, is_gentle: bool) -> anyhow::Result<Vec<String>> {
        let before = self.crowd.disconnections();
        self.mails.may_repeat = schedule.iter().any(|(fault, ..)| fault.may_repeat_mails());
        self.work(schedule).await?;
        self.cluster.heal().await?;
        let rest = schedule.iter().map(|(fault, ..)| fault.rest()).max().unwrap_or(REST);
        // A node whose write waits for a link that has died without a sign is not ready meanwhile.
        self.cluster.wait_until_ready(START.max(rest)).await?;
        let disconnected = self.crowd.disconnections() - before;
        // What a fault leaves behind may show in a later round only.
        self.right_until = self.right_until.max(self.healed + rest);
        let rest = REST.max(self.right_until.saturating_duration_since(Instant::now()));
        let mut wrong = self.check(rest).await?;
        if is_gentle && disconnected > 0 {
            wrong.push(format!("{disconnected} clients were disconnected"));
        }
        self.crowd.spread(&self.ports);
        Ok(wrong)
    }

    async fn work(&mut self, schedule: &Schedule) -> anyhow::Result<()> {
        let (stop, stopped) = watch::channel(false);
        let writers: Vec<JoinHandle<Writer>> =
            self.writers.drain(..).map(|writer| tokio::spawn(writer.run(stopped.clone()))).collect();
        let faults = async {
            let faults = schedule.iter().map(|(fault, begin, lasting)| async {
                sleep(*begin).await;
                fault.happen(&self.cluster, &self.crowd, *lasting).await
            });
            let happened = join_all(faults).await;
            let healed = Instant::now();
            // Everybody goes on for a while.
            sleep(Duration::from_millis(500)).await;
            stop.send_replace(true);
            happened.into_iter().collect::<anyhow::Result<()>>().map(|()| healed)
        };
        let (healed, (), (), ()) = tokio::join!(
            faults,
            self.sessions.run(stopped.clone()),
            self.mails.run(stopped.clone()),
            self.codes.run(stopped.clone())
        );
        for writer in writers {
            self.writers.push(writer.await?);
        }
        self.healed = healed?;
        Ok(())
    }

    /// Returns what is still wrong after some time at rest.
    pub(crate) async fn check(&mut self, rest: Duration) -> anyhow::Result<Vec<String>> {
        let until = Instant::now() + rest;
        loop {
            let mut wrong = self.check_documents().await?;
            wrong.extend(self.mails.check(&self.cluster.mails));
            if wrong.is_empty() || Instant::now() > until {
                self.settled = self.healed.elapsed();
                wrong.extend(self.codes.check());
                wrong.extend(self.sessions.check(until).await);
                return Ok(wrong);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns whether every client shows what the table has.
    pub(crate) async fn views_are_right(&self) -> anyhow::Result<bool> {
        let table = self.cluster.table().await?;
        for member in self.crowd.members() {
            if !member.view.check(&table, &member.client.view().await?).is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns how long it took from the end of the last fault until all documents and mails were right. For half a second
    /// of it everybody writes.
    pub(crate) fn settled(&self) -> Duration {
        self.settled
    }

    async fn check_documents(&self) -> anyhow::Result<Vec<String>> {
        let table = self.cluster.table().await?;
        let mut wrong = self.ledger.lock().check(&table);
        for (number, member) in self.crowd.members().iter().enumerate() {
            let different = member.view.check(&table, &member.client.view().await?);
            if !different.is_empty() {
                let told = member.client.recording().join("\n    ");
                let some = different.iter().take(5).cloned().collect::<Vec<_>>().join("\n  ");
                let count = different.len();
                wrong.push(format!("client {number}: {count} differences: {some}\n  it was sent:\n    {told}"));
            }
        }
        Ok(wrong)
    }

    /// One to three faults, which may overlap.
    fn wild(&mut self) -> Schedule {
        let count = self.random.random_range(1..=3);
        (0..count)
            .map(|_| {
                let fault = Fault::choose(&mut self.random, &self.crowd);
                let begin = Duration::from_millis(self.random.random_range(0..1_500));
                (fault, begin, Duration::from_millis(self.random.random_range(300..4_000)))
            })
            .collect()
    }

    fn alone(&mut self) -> Schedule {
        let fault = Fault::choose_alone(&mut self.random);
        vec![(fault, Duration::from_millis(500), Duration::from_secs(2))]
    }

    fn summary(&self) -> String {
        let (unknown, fields) = self.ledger.lock().size();
        format!(
            "right after {} ms; {fields} fields, {unknown} with unknown writes; {} tokens revoked, {} codes taken, {} mails, \
             {} disconnections;",
            self.settled.as_millis(),
            self.sessions.revoked,
            self.codes.taken(),
            self.mails.promised(),
            self.crowd.disconnections(),
        )
    }
}

fn shown(schedule: &Schedule) -> String {
    let faults = schedule
        .iter()
        .map(|(fault, begin, lasting)| format!("{fault:?} at {} ms for {} ms", begin.as_millis(), lasting.as_millis()));
    faults.collect::<Vec<_>>().join(", ")
}
