//! The method `long`: it reports its start and its end, and waits for permission in between.

use bolide::AppBuilder;
use bolide::prelude::*;
use tokio::sync::{mpsc, watch};

use crate::waiting::soon;

/// The test's side of the method.
pub(crate) struct LongMethod {
    steps: mpsc::UnboundedReceiver<Step>,
    permission: watch::Sender<bool>,
}

#[derive(Debug, PartialEq)]
enum Step {
    Started,
    Ended,
}

impl LongMethod {
    /// Adds the method to an app. Called with true, it unblocks first.
    pub(crate) fn register(app: AppBuilder) -> (AppBuilder, Self) {
        let (tell, steps) = mpsc::unbounded_channel();
        let (permission, permitted) = watch::channel(false);
        let app = app.method("long", TwoFactor::none(), async move |context: Context, unblocks: Option<bool>| {
            if unblocks == Some(true) {
                context.unblock();
            }
            tell.send(Step::Started)?;
            permitted.clone().wait_for(|permitted| *permitted).await?;
            tell.send(Step::Ended)?;
            Ok("done")
        });
        (app, Self { steps, permission })
    }

    /// Waits until another call has started.
    pub(crate) async fn has_started(&mut self) {
        assert_eq!(soon(self.steps.recv()).await, Some(Step::Started));
    }

    /// Waits until another call has ended.
    pub(crate) async fn has_ended(&mut self) {
        assert_eq!(soon(self.steps.recv()).await, Some(Step::Ended));
    }

    /// Returns whether all starts and ends have been awaited.
    pub(crate) fn is_quiet(&self) -> bool {
        self.steps.is_empty()
    }

    /// Lets all current and future calls end.
    pub(crate) fn let_end(&self) {
        self.permission.send(true).expect("the method");
    }
}
