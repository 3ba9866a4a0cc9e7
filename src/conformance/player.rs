//! Runs one case: one step after another, until one fails.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::case::Case;
use super::http::Exchange;
use super::lines::{Heard, Lines, Problem, shortened, shown};
use super::mailbox::Mailbox;
use super::matching::{Mismatch, matches, matches_alone, text_matches};
use super::memory::{FreshValues, Memory};
use super::reading::Reading;
use super::report::Failure;
use super::step::{Action, Call, CloseCode, ExpectedMail, Opening, Step};
use super::transport::Transport;

/// What all cases of a run share.
pub(crate) struct RunContext<'run> {
    pub(crate) fresh_values: &'run FreshValues,
    pub(crate) mailbox: Option<&'run Mailbox>,
    pub(crate) patience: Duration,
    pub(crate) reading: Reading,
    /// Whether the documents of universal publications come before `updated`.
    pub(crate) documents_come_first: bool,
    pub(crate) linger: Duration,
}

/// Runs `case` against the server that `transport` connects to. Returns how the server departs from what the case
/// recommends.
pub(crate) async fn play<T: Transport>(
    transport: &T,
    case: &Case,
    context: &RunContext<'_>,
) -> Result<Vec<String>, Failure> {
    let mut player = Player {
        lines: Lines::new(transport, !case.shows_pings, context.reading, context.patience),
        memory: Memory::new(context.fresh_values),
        mailbox: context.mailbox,
        patience: context.patience,
        reading: context.reading,
        documents_come_first: context.documents_come_first,
        linger: context.linger,
    };
    player.lines.ignore(case.ignores.clone());
    let ended = player.play_to_the_end(&case.steps).await;
    let transcript = player.lines.say_goodbye().await;
    match ended {
        Ok(()) => Ok(player.memory.into_departures()),
        Err((step, Problem { reason, difference })) => Err(Failure { step, reason, difference, transcript }),
    }
}

struct Player<'run, T: Transport> {
    lines: Lines<'run, T>,
    memory: Memory<'run>,
    mailbox: Option<&'run Mailbox>,
    patience: Duration,
    reading: Reading,
    documents_come_first: bool,
    linger: Duration,
}

/// The number of a failed step, such as `3` or `3.1 (round 17)`, and the reason.
type StepFailure = (String, Problem);

impl<T: Transport> Player<'_, T> {
    async fn play_to_the_end(&mut self, steps: &[Step]) -> Result<(), StepFailure> {
        self.play_all(steps).await?;
        self.expect_no_more().await.map_err(|problem| ("the end".into(), problem))
    }

    async fn play_all(&mut self, steps: &[Step]) -> Result<(), StepFailure> {
        for (number, step) in (1..).zip(steps) {
            self.play_step(number, step).await?;
        }
        Ok(())
    }

    async fn play_step(&mut self, number: usize, step: &Step) -> Result<(), StepFailure> {
        let Action::Repeat(times, inner) = &step.action else {
            return self.act(step).await.map_err(|problem| (number.to_string(), problem));
        };
        let outer_round = self.memory.set_round(None);
        for round in 0..*times {
            self.memory.set_round(Some(round));
            // A future that contains itself needs a box.
            let outcome = Box::pin(self.play_all(inner)).await;
            outcome.map_err(|(step, problem)| (format!("{number}.{step} (round {round})"), problem))?;
        }
        self.memory.set_round(outer_round);
        Ok(())
    }

    async fn act(&mut self, step: &Step) -> Result<(), Problem> {
        let on = step.on.as_str();
        let patience = step.within.unwrap_or(self.patience);
        match &step.action {
            Action::Connect => self.connect(on, patience).await,
            Action::Open(opening) => self.lines.open(on, opening).await,
            Action::Send(messages) => self.send(on, messages).await,
            Action::SendText(text) => self.lines.send_text(on, text.clone()).await,
            Action::SendBinary(binary) => self.lines.send_binary(on, binary).await,
            Action::Call(call) => self.call(on, call, patience).await,
            Action::Expect(messages) => self.expect_all(on, messages, patience).await,
            Action::ExpectOptional(message) => self.expect_optional(on, message, patience).await,
            Action::ExpectUnordered(lists) => self.expect_unordered(on, lists, patience).await,
            Action::ExpectText(text) => self.expect_text(on, text, patience).await,
            Action::SkipTo(message) => self.skip_to(on, message, patience).await,
            Action::ExpectNothing(silence) => self.expect_nothing(on, *silence).await,
            Action::ExpectClose(code) => self.expect_close(on, *code, patience).await,
            Action::SkipToClose(code) => self.skip_to_close(on, *code, patience).await,
            Action::Close(code) => self.lines.close(on, *code).await,
            Action::Drop => self.lines.cut(on),
            Action::Wait(time) => {
                sleep(*time).await;
                Ok(())
            }
            Action::Http(exchange) => self.exchange(exchange, patience).await,
            Action::Mail(mail) => self.expect_mail(mail, patience).await,
            Action::Repeat(..) => unreachable!("play_step plays these"),
        }
    }

    async fn connect(&mut self, on: &str, patience: Duration) -> Result<(), Problem> {
        self.lines.open(on, &Opening::default()).await?;
        let connect = json!({"msg": "connect", "version": "1", "support": ["1", "pre2", "pre1"]});
        self.lines.send_text(on, connect.to_string()).await?;
        let session = match self.reading {
            Reading::Specified => "<string>",
            Reading::Literal => "<id>",
        };
        self.expect(on, &json!({"msg": "connected", "session": session}), patience).await?;
        self.lines.ask_at_the_end(on)
    }

    async fn send(&mut self, on: &str, messages: &[Value]) -> Result<(), Problem> {
        for message in messages {
            let text = self.memory.fill(message)?.to_string();
            self.lines.send_text(on, text).await?;
        }
        Ok(())
    }

    async fn call(&mut self, on: &str, call: &Call, patience: Duration) -> Result<(), Problem> {
        let id = self.memory.next_call();
        let params = self.memory.fill(&call.params.clone().into())?;
        let invocation = json!({"msg": "method", "id": id, "method": call.method, "params": params});
        self.lines.send_text(on, invocation.to_string()).await?;

        let mut result = json!({"msg": "result", "id": id});
        if let Some((key, value)) = &call.answer {
            result[key] = value.clone();
        }
        let mut data_then_updated = call.data.clone();
        let mut around = call.around.clone();
        if self.documents_come_first {
            data_then_updated.append(&mut around);
        }
        data_then_updated.push(json!({"msg": "updated", "methods": [id]}));
        self.expect_unordered(on, &[vec![result], data_then_updated, around], patience).await
    }

    async fn expect_all(&mut self, on: &str, messages: &[Value], patience: Duration) -> Result<(), Problem> {
        for message in messages {
            self.expect(on, message, patience).await?;
        }
        Ok(())
    }

    async fn expect(&mut self, on: &str, message: &Value, patience: Duration) -> Result<(), Problem> {
        let limit = Instant::now() + patience;
        let (text, value) = self.hear_message(on, limit, || message.to_string()).await?;
        matches(message, &value, &mut self.memory)
            .map_err(|mismatch| differing(&message.to_string(), &text, &mismatch, message["msg"].as_str()))
    }

    async fn expect_optional(&mut self, on: &str, message: &Value, patience: Duration) -> Result<(), Problem> {
        match self.lines.hear(on, Instant::now() + patience).await? {
            Heard::Message { value, .. } if matches_alone(message, &value, &mut self.memory) => return Ok(()),
            Heard::Message { text, value } => self.lines.put_back(on, text, value)?,
            Heard::Nothing => {}
            Heard::Closed(code) => {
                return Err(Problem::new(format!(
                    "expected {message} or nothing\nthe connection ended {}",
                    shown(code)
                )));
            }
        }
        self.memory.note_departure(format!("{message} is recommended; the server sends nothing"));
        Ok(())
    }

    async fn expect_unordered(&mut self, on: &str, lists: &[Vec<Value>], patience: Duration) -> Result<(), Problem> {
        let mut waiting: Vec<&[Value]> = lists.iter().map(Vec::as_slice).collect();
        loop {
            waiting.retain(|list| !list.is_empty());
            match waiting.as_slice() {
                [] => return Ok(()),
                [last] => return self.expect_all(on, last, patience).await,
                _ => self.expect_first_of_one(on, &mut waiting, patience).await?,
            }
        }
    }

    /// Hears one message, which has to be the first of one of the lists, and takes it from there.
    async fn expect_first_of_one(
        &mut self,
        on: &str,
        waiting: &mut [&[Value]],
        patience: Duration,
    ) -> Result<(), Problem> {
        let firsts: Vec<&Value> = waiting.iter().filter_map(|list| list.first()).collect();
        let expected = firsts.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n      or ");
        let limit = Instant::now() + patience;
        let (text, value) = self.hear_message(on, limit, || expected.clone()).await?;

        let memory = &mut self.memory;
        let Some(taken) = firsts.iter().position(|first| matches_alone(first, &value, memory)) else {
            return Err(self.like_none(&firsts, &expected, &text, &value));
        };
        waiting[taken] = &waiting[taken][1..];
        Ok(())
    }

    /// Compares a message that none of the expected ones matches with the one of its kind, to tell where it differs.
    fn like_none(&self, firsts: &[&Value], expected: &str, text: &str, value: &Value) -> Problem {
        let mut attempt = self.memory.clone();
        let of_its_kind = firsts.iter().find(|first| first.get("msg").is_some() && first["msg"] == value["msg"]);
        match of_its_kind.map(|first| matches(first, value, &mut attempt)) {
            Some(Err(mismatch)) => differing(expected, text, &mismatch, value["msg"].as_str()),
            _ => unexpected(expected, text),
        }
    }

    async fn expect_text(&mut self, on: &str, expected: &str, patience: Duration) -> Result<(), Problem> {
        let limit = Instant::now() + patience;
        let (text, _) = self.hear_message(on, limit, || expected.to_owned()).await?;
        if text_matches(expected, &text) {
            return Ok(());
        }
        Err(Problem::new(format!("{}\nthe text has to be the same", unlike(expected, &text))))
    }

    async fn skip_to(&mut self, on: &str, message: &Value, patience: Duration) -> Result<(), Problem> {
        let limit = Instant::now() + patience;
        loop {
            let (_, value) = self.hear_message(on, limit, || message.to_string()).await?;
            if matches_alone(message, &value, &mut self.memory) {
                return Ok(());
            }
        }
    }

    async fn expect_nothing(&mut self, on: &str, silence: Duration) -> Result<(), Problem> {
        match self.lines.hear(on, Instant::now() + silence).await? {
            Heard::Nothing => Ok(()),
            Heard::Message { text, .. } => Err(unexpected("nothing", &text)),
            Heard::Closed(code) => Err(Problem::new(format!("expected nothing\nthe connection ended {}", shown(code)))),
        }
    }

    async fn expect_close(&mut self, on: &str, expected: CloseCode, patience: Duration) -> Result<(), Problem> {
        match self.lines.hear(on, Instant::now() + patience).await? {
            Heard::Closed(code) => is_expected_end(expected, code),
            Heard::Message { text, .. } => Err(unexpected("the end of the connection", &text)),
            Heard::Nothing => Err(still_open()),
        }
    }

    async fn skip_to_close(&mut self, on: &str, expected: CloseCode, patience: Duration) -> Result<(), Problem> {
        let limit = Instant::now() + patience;
        loop {
            match self.lines.hear(on, limit).await? {
                Heard::Closed(code) => return is_expected_end(expected, code),
                Heard::Message { .. } => {}
                Heard::Nothing => return Err(still_open()),
            }
        }
    }

    async fn exchange(&mut self, exchange: &Exchange, patience: Duration) -> Result<(), Problem> {
        let request = exchange.request.fill(&mut self.memory)?;
        let answer = self.lines.request(request, Instant::now() + patience).await?;
        exchange.answer.matches(&answer, &mut self.memory).map_err(|mismatch| {
            let expected = serde_json::to_string(&exchange.answer.body).unwrap_or_default();
            differing(&expected, answer.body(), &mismatch, Some("http"))
        })
    }

    async fn expect_mail(&mut self, expected: &ExpectedMail, patience: Duration) -> Result<(), Problem> {
        let mailbox = self.mailbox.ok_or_else(|| Problem::new("the runner does not receive mail; use --smtp"))?;
        let to = self.memory.fill(&expected.to)?;
        let address = to.as_str().ok_or_else(|| Problem::new(format!("{to} is not an address")))?;
        let mail = timeout(patience, mailbox.next(address)).await;
        let mail = mail.map_err(|_| Problem::new(format!("expected a mail to {address}\nreceived none")))?;
        matches(&expected.content, &mail, &mut self.memory)
            .map_err(|mismatch| differing(&expected.content.to_string(), &mail.to_string(), &mismatch, Some("mail")))
    }

    /// Fails the case if the server sends messages that were not expected.
    async fn expect_no_more(&mut self) -> Result<(), Problem> {
        for on in self.lines.asked_at_the_end() {
            let ping = json!({"msg": "ping", "id": "the end"});
            self.lines.send_text(&on, ping.to_string()).await?;
            self.expect(&on, &json!({"msg": "pong", "id": "the end"}), self.patience).await?;
        }
        self.linger().await
    }

    /// Fails the case if something arrives late, such as a close frame after an answer.
    async fn linger(&mut self) -> Result<(), Problem> {
        let limit = Instant::now() + self.linger;
        for on in self.lines.asked_at_the_end() {
            loop {
                match self.lines.hear(&on, limit).await? {
                    Heard::Nothing => break,
                    // Where the pings of the server are shown, a further one is not too many.
                    Heard::Message { value, .. } if value["msg"] == "ping" => {}
                    Heard::Message { text, .. } => return Err(unexpected("nothing more", &text)),
                    Heard::Closed(code) => {
                        return Err(Problem::new(format!(
                            "expected nothing more\nthe connection ended {}",
                            shown(code)
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    async fn hear_message(
        &mut self,
        on: &str,
        limit: Instant,
        expected: impl FnOnce() -> String,
    ) -> Result<(String, Value), Problem> {
        match self.lines.hear(on, limit).await? {
            Heard::Message { text, value } => Ok((text, value)),
            Heard::Nothing => Err(Problem::new(unlike(&expected(), "nothing"))),
            Heard::Closed(code) => {
                let end = shown(code);
                Err(Problem::new(format!("expected {}\nthe connection ended {end}", expected())))
            }
        }
    }
}

fn is_expected_end(expected: CloseCode, code: Option<u16>) -> Result<(), Problem> {
    match expected {
        CloseCode::Any => Ok(()),
        CloseCode::Exactly(expected) if code == Some(expected) => Ok(()),
        CloseCode::Exactly(expected) => {
            Err(Problem::new(format!("expected the connection to end with code {expected}\nit ended {}", shown(code))))
        }
    }
}

fn still_open() -> Problem {
    Problem::new("expected the end of the connection\nit is still open")
}

fn unexpected(expected: &str, received: &str) -> Problem {
    Problem::new(unlike(expected, received)).differing("received a message that was not expected")
}

/// Describes a message of a `kind`, such as `result`, that differs at one place.
fn differing(expected: &str, received: &str, mismatch: &Mismatch, kind: Option<&str>) -> Problem {
    let reason = format!("{}\n{}", unlike(expected, received), shortened(&mismatch.to_string()));
    Problem::new(reason).differing(mismatch.place(kind.unwrap_or("the message")))
}

fn unlike(expected: &str, received: &str) -> String {
    format!("expected {}\nreceived {}", shortened(expected), shortened(received))
}
