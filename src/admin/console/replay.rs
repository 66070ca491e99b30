//! Replay of a delivery: first what would come of it, and then, to whoever has seen that, the replay itself, which is noted in
//! `intake.actions`.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::domain::{EffectSummary, Outcome};
use crate::intake::Intake;
use crate::intake::replay::{self, ReplayItem, ReplayResult};
use crate::store::actions::{self, Action, Counts};
use crate::store::replay_filter::{self, Match, ReplayFilter, START};

use super::delivery::{self, Extra, Tried};
use super::form::Fields;
use super::guard;
use super::page::{self, Failure, Frame};
use super::sessions::Session;
use super::state::Console;

/// How long a person waits for what comes of it; after that it goes on, and the delivery's page tells.
const PATIENCE: Duration = Duration::from_secs(8);

/// What whoever asks for a replay is told while the delivery is being replayed.
const RUNS: &str = "The delivery is being replayed already. Go back in a moment and look what came of it.";

/// Tells what would come of a delivery if it were replayed now.
pub(super) async fn try_out(
    State(console): State<Console>,
    Extension(session): Extension<Session>,
    Path(id): Path<String>,
) -> Response {
    let frame = Frame::of(&session, "deliveries");
    let made = async {
        let intake = console.intake().ok_or(Failure::NoTables)?;
        let _turn = console.turns().take(intake.store().connections()).await.ok_or(Failure::Busy)?;
        let target = Target::find(&console, &intake, uuid(&id)?).await?;
        let proof = target.proof(&console, &session);
        let results = timeout(PATIENCE, replay::dry_run(&intake, vec![target.item.clone()])).await;
        let result = results.map_err(|_elapsed| Failure::Busy)??.into_iter().next();
        let tried = Tried { is_dry_run: true, proof, ..target.tried(result.as_ref()) };
        delivery::render(&console, &intake, frame.clone(), &id, Extra { tried: Some(tried), ..Extra::default() }).await
    };
    page::or_failure(made.await, frame)
}

/// Replays a delivery that was tried out.
pub(super) async fn replay(
    State(console): State<Console>,
    Extension(session): Extension<Session>,
    Extension(fields): Extension<Fields>,
    Path(id): Path<String>,
) -> Response {
    let frame = Frame::of(&session, "deliveries");
    let made = async {
        let intake = console.intake().ok_or(Failure::NoTables)?;
        let id = uuid(&id)?;
        let sole = console.replays().begin(id).ok_or_else(|| Failure::Refused(RUNS.to_owned()))?;
        let _turn = console.turns().take(intake.store().connections()).await.ok_or(Failure::Busy)?;
        let target = Target::find(&console, &intake, id).await?;
        if !guard::same(fields.get("proof"), &target.proof(&console, &session)) {
            let message =
                "The delivery has to be tried out first, and was tried again since. Go back and try it out anew.";
            return Err(Failure::Refused(message.to_owned()));
        }
        // It is finished and noted, whoever waits for it.
        let work = carry_out(intake.clone(), target.item.clone(), session.acted_by());
        let task = tokio::spawn(async move {
            let done = work.await;
            drop(sole);
            done
        });
        let tried = match timeout(PATIENCE, task).await {
            Ok(Ok(done)) => target.tried(done.result.as_ref()).with_remark(done.remark),
            Ok(Err(_panic)) => return Err(Failure::Refused("It failed through a fault of forecourt.".to_owned())),
            Err(_elapsed) => target.tried(None).with_remark("It goes on. Load this page again in a while."),
        };
        delivery::render(
            &console,
            &intake,
            frame.clone(),
            &id.to_string(),
            Extra { tried: Some(tried), ..Extra::default() },
        )
        .await
    };
    page::or_failure(made.await, frame)
}

/// What came of a replay.
struct Done {
    result: Option<ReplayResult>,
    remark: &'static str,
}

/// Replays a delivery, and notes it as `forecourt replay` does.
async fn carry_out(intake: Intake, item: ReplayItem, acted_by: String) -> Done {
    let id = item.delivery.id;
    let result = replay::replay(&intake, vec![item]).await.into_iter().next().flatten();
    let Some(made) = &result else {
        return Done {
            result,
            remark: "The database did not take it in time. Nothing was changed by this replay so far.",
        };
    };
    let outcomes = Counts::from_iter([(made.outcome.name().to_owned(), json!(1))]);
    let counts = [
        ("deliveries".to_owned(), json!(1)),
        ("delivery_id".to_owned(), json!(id)),
        ("outcomes".to_owned(), json!(outcomes)),
        ("not_replayed".to_owned(), json!(0)),
    ];
    let noted = actions::record_alone(intake.store(), Action::Replay, &acted_by, Counts::from_iter(counts)).await;
    let remark = match noted {
        Ok(()) => "",
        Err(error) => {
            tracing::error!(error = error.without_values(), "a replay could not be noted in intake.actions");
            "It could not be noted in intake.actions."
        }
    };
    Done { result, remark }
}

fn no_delivery() -> Failure {
    Failure::NotFound("There is no delivery of this id.".to_owned())
}

fn uuid(id: &str) -> Result<Uuid, Failure> {
    id.parse().map_err(|_no_id| no_delivery())
}

/// The delivery that is to be replayed.
struct Target {
    id: Uuid,
    outcome: String,
    codes: BTreeSet<String>,
    item: ReplayItem,
}

impl Target {
    async fn find(console: &Console, intake: &Intake, id: Uuid) -> Result<Self, Failure> {
        let filter = ReplayFilter {
            ids: vec![id],
            feeds: Vec::new(),
            since: None,
            until: console.now(),
            outcomes: Vec::new(),
            codes: Vec::new(),
            workspace: None,
            of_no_door: false,
            addresses: Vec::new(),
            fingerprints: Vec::new(),
        };
        let found = timeout(PATIENCE, replay_filter::deliveries(intake.store(), &filter, START, 1)).await;
        let found = found.map_err(|_elapsed| Failure::Busy)??;
        let Match { stored, outcome, codes } = found.into_iter().next().ok_or_else(no_delivery)?;
        let stored = stored.map_err(|obstacle| Failure::Refused(format!("It cannot be replayed: {obstacle}.")))?;
        let item = ReplayItem::of_stored(intake, stored, &outcome);
        Ok(Self { id, outcome, codes: codes.into_iter().collect(), item })
    }

    /// What proves that this session has tried out this delivery as it stands.
    fn proof(&self, console: &Console, session: &Session) -> String {
        let text = format!("{}\n{}\n{}\n{}", session.token, self.id, self.item.attempts, self.outcome);
        console.sign("replay", &text).unwrap_or_else(|| session.token.clone())
    }

    fn tried(&self, result: Option<&ReplayResult>) -> Tried {
        let Some(result) = result else { return Tried { before: self.outcome.clone(), ..Tried::default() } };
        let now: BTreeSet<&str> = result.codes.iter().map(|code| code.name()).collect();
        let applied = Outcome::Applied.name();
        // What was applied stays applied, also where the replay comes to something else.
        let stays = self.outcome == applied && result.outcome == Outcome::Unchanged;
        Tried {
            before: self.outcome.clone(),
            outcome: Some(if stays { applied } else { result.outcome.name() }),
            effects: result.effects.iter().map(|(kind, summary)| (*kind, in_words(summary))).collect(),
            new_codes: now.iter().copied().filter(|code| !self.codes.contains(*code)).collect(),
            gone_codes: self.codes.iter().filter(|code| !now.contains(code.as_str())).cloned().collect(),
            remark: if stays { "It changes nothing." } else { "" },
            ..Tried::default()
        }
    }
}

fn in_words(summary: &EffectSummary) -> String {
    match summary {
        EffectSummary::One(effect) => effect.name().to_owned(),
        EffectSummary::Many(tally) => {
            let parts = tally.parts().into_iter().filter(|(_, count)| *count > 0);
            parts.map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
        }
    }
}
