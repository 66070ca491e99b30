//! The map of forecourt: the path of one delivery, the rooms it passes through, and the laws between them.
//!
//! # The path of one delivery
//!
//! 1. A POST arrives at a door ([`http`]). Its credential is verified without a query, and its body is read to the end,
//!    decompressed, up to the feed's limit.
//! 2. One pass over the whole body checks it, counts its values and finds its dealership ([`feeds::scan`]); memory for what
//!    it will become is reserved before anything is built. Then the body is parsed into the feed's typed payload, leniently,
//!    field by field, and the payload is converted to facts: the content in a shape that all feeds share, with a finding for
//!    each value that could not be used ([`feeds::parse`]).
//! 3. With its workspace known, the delivery waits in that workspace's queue ([`intake`]). A queue takes what waits as one
//!    batch, and while it writes that batch, the next one gathers. A batch needs its workspace's lock and then a permit to
//!    write; there are few, given out in the order of asking.
//! 4. In the transaction that has locked the workspace, all rows that the batch's keys can touch are loaded ([`store`]), the
//!    rules merge the deliveries into them one after the other, in memory ([`domain`]), and the changed rows are saved
//!    together with the deliveries and their outcomes.
//! 5. After the commit the outcome goes back to the door, where it becomes the reply.
//!
//! Where that takes longer than the deadline, the delivery is written to the spool on local disk and answered from there
//! ([`intake::accept`]); when Postgres can take it, it goes the same path from its second step on.
//!
//! # The rooms, in reading order
//!
//! | room | what it is for | may import |
//! |---|---|---|
//! | [`domain`] | the rules, as plain functions over plain rows | nothing of ours |
//! | [`feeds`] | one file for each kind of payload: from bytes through a typed payload to facts | `domain` |
//! | [`store`] | all SQL, one file for each noun | `domain` |
//! | [`budget`] | bytes that are in the process at a time, shared out by holder | nothing of ours |
//! | [`metrics`] | what is counted and measured, rendered for Prometheus | `domain` |
//! | [`spool`] | deliveries on local disk while Postgres cannot take them | `domain` |
//! | [`quarantine`] | refused requests, kept for a while | `domain`, `store` |
//! | [`intake`] | accept, parse, queue, commit; stored deliveries tried again; erasures and retention | `budget`, `domain`, `feeds`, `metrics`, `store`, `spool` |
//! | [`silence`] | senders that have fallen silent: noted, logged, posted, measured | `domain`, `intake`, `metrics`, `store` |
//! | [`http`] | routes, credentials, bodies, replies | `budget`, `domain`, `feeds`, `intake`, `metrics`, `quarantine`, `config` |
//! | [`admin`] | the routes of the second listener: metrics, the doors' description, health, the console | `config`, `domain`, `feeds`, `http`, `intake`, `metrics`, `store` |
//! | [`config`] | `forecourt.toml` and the environment, read once | `domain`, `feeds`, of `store` how an address is read |
//! | [`local_postgres`] | the private Postgres of first runs and of tests | nothing of ours |
//! | [`cli`] | the commands; `serve` puts everything together | everything |
//!
//! # The laws
//!
//! - A room imports only what the table lists. `feeds` and `store` never see each other.
//! - The rules know no HTTP, SQL, JSON, clock or log. sqlx is named in `store` and `local_postgres`, axum in `http`
//!   and `admin`, Prometheus' crate in `metrics`.
//! - No module imports itself through others. What a parent shares with its children stands in a file of its own, which
//!   the parent passes on.
//! - An error belongs to the room that raises it, is logged once, and becomes a reply in one place, `http/reply.rs`.
//! - No function is longer than 60 lines and no file than 500, tests apart, and every module begins with what it is for.
//!
//! `tests/architecture` reads the sources and fails where one of these is broken.
//!
//! # Where the code is not what one would expect
//!
//! - Wide tables are written as lists, one for each column, which Postgres makes into rows with `unnest`: as JSON the same
//!   rows cost it several times as much.
//! - Groups of columns are declared by a macro (`domain/columns.rs`), so that merging them value by value, and reading
//!   and writing them by name, is written once.
//! - A workspace has one queue of its own. A second one for it could only wait, because Postgres lets one transaction at
//!   a time have a workspace; that lock is what lets several processes share a database.
//! - Every statement runs in a transaction, reads too, and every transaction begins with the same dozens of settings
//!   (`store/session.rs`): a role, a database or a pooler may have others, and nothing may outlive a transaction there.
//! - Plans are made anew for each statement (`force_custom_plan`) until Postgres has statistics of the large tables: one
//!   kept from when a table was empty reads all of it once it is full. From then on all are kept (`store::statistics`).
//! - Statements ask for, and write, what belongs together at once, all that is known of customers and what their bookings
//!   need, persons with leads and bookings: an idle service spends most of an answer's time on waiting for the answers of
//!   Postgres, one after the other.
//! - Look-ups go key by key (`cross join lateral ... offset 0`) and by nested loops only (`store/session.rs`): what they
//!   read depends on what they find, and not on what Postgres believes of the tables.
//! - A vehicle's body that was read before is not read again: a daily full feed repeats nearly all of them
//!   (`intake/body_cache.rs`), and of those the rules need nothing but what is stored already (`domain::unchanged`).
//! - Rows get their ids from a sequence in blocks, before they are written, so that rows of one batch can name each other.
//! - The deadline runs in the request and not in the queue. So a delivery can be in the spool and committed by its queue as
//!   well; its id sees to it that it is applied once.
//! - A delivery that fails alone is stored as failed in a transaction of its own, so that the rest of its batch is not held up.

pub mod admin;
pub mod budget;
pub mod cli;
pub mod config;
pub mod domain;
pub mod feeds;
pub mod http;
pub mod intake;
pub mod local_postgres;
pub mod metrics;
pub mod quarantine;
pub mod silence;
pub mod spool;
pub mod store;
