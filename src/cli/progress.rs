//! How far long work is: a bar for who looks on at a terminal, elsewhere a line now and then.
//!
//! Both go to standard error. What is printed on standard output meanwhile goes through [`Progress::print`], so that it
//! does not run into the bar.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config::Environment;

/// How often a line tells how far it is.
const EVERY: Duration = Duration::from_secs(10);
/// How often a bar is drawn anew while nothing happens.
const REDRAW: Duration = Duration::from_millis(200);
/// A count with its bar, its rate, and the time that is left.
const TEMPLATE: &str = "{msg} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left";

/// How far some work is.
pub(super) struct Progress {
    work: Arc<Work>,
    bar: Option<ProgressBar>,
    /// Dropped with this, which ends the lines.
    _ticker: Option<mpsc::Sender<()>>,
}

/// What is counted.
struct Work {
    began: Instant,
    what: Mutex<String>,
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Begins work that somebody gave the command for: `what` is what was done with those that are counted, as `sent`.
    pub(super) fn begin(what: &str, total: u64, environment: &Environment) -> Self {
        let is_dumb = environment.setting("TERM").is_none_or(|terminal| terminal == "dumb");
        if io::stderr().is_terminal() && !is_dumb {
            let work = Arc::new(Work::new(what, total));
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(REDRAW);
            return Self { work, bar: Some(bar), _ticker: None };
        }
        let told = |line: &str| {
            // Nobody is left to be told when standard error is closed.
            let _ = writeln!(io::stderr(), "{line}");
        };
        Self::lines(what, total, EVERY, told)
    }

    /// Begins work of a service, which tells in its log how far it is.
    pub(super) fn logged(what: &str) -> Self {
        Self::lines(what, 0, EVERY, |line| tracing::info!("{line}"))
    }

    /// Tells how far it is in a line, again and again.
    fn lines(what: &str, total: u64, every: Duration, tell: impl Fn(&str) + Send + 'static) -> Self {
        let work = Arc::new(Work::new(what, total));
        let (ticker, ended) = mpsc::channel::<()>();
        let told = Arc::clone(&work);
        // Without a thread to be had, nothing is told, and the work is done all the same.
        let _best_effort = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(every) {
                tell(&told.sentence());
            }
        });
        Self { work, bar: None, _ticker: Some(ticker) }
    }

    /// So many more are done.
    pub(super) fn add(&self, count: u64) {
        self.work.done.fetch_add(count, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(count);
        }
    }

    /// Another part of the work begins, with so many to be done; nought where nobody knows.
    pub(super) fn turn_to(&self, what: &str, total: u64) {
        what.clone_into(&mut self.work.what.lock().unwrap_or_else(PoisonError::into_inner));
        self.work.done.store(0, Ordering::Relaxed);
        self.work.total.store(total, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
            bar.set_length(total);
            bar.reset();
        }
    }

    /// Prints a line beside the bar.
    ///
    /// # Errors
    /// When it cannot be printed.
    pub(super) fn print(&self, out: &mut dyn Write, line: &str) -> io::Result<()> {
        let mut print = || writeln!(out, "{line}").and_then(|()| out.flush());
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Work {
    fn new(what: &str, total: u64) -> Self {
        let (done, total) = (AtomicU64::new(0), AtomicU64::new(total));
        Self { began: Instant::now(), what: Mutex::new(what.to_owned()), done, total }
    }

    fn sentence(&self) -> String {
        let what = self.what.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        sentence(&what, done, total, self.began.elapsed())
    }
}

/// `sent 300 of 1200, 30 a second, about 30 s left`.
fn sentence(what: &str, done: u64, total: u64, since: Duration) -> String {
    if total == 0 {
        return format!("{what}, for {}", rough(since.as_secs()));
    }
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
    if done == 0 {
        return format!("{what} 0 of {total}, for {}", rough(since.as_secs()));
    }
    let left = total.saturating_sub(done).saturating_mul(millis) / done / 1_000;
    let rate = match done.saturating_mul(1_000) / millis {
        0 => format!("{} a minute", done.saturating_mul(60_000) / millis),
        rate => format!("{rate} a second"),
    };
    format!("{what} {done} of {total}, {rate}, about {} left", rough(left))
}

fn rough(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_count_rate_and_the_time_that_is_left() {
        for (done, total, seconds, expected) in [
            (300, 1_200, 10, "sent 300 of 1200, 30 a second, about 30 s left"),
            (5, 4_000, 10, "sent 5 of 4000, 30 a minute, about 2 h left"),
            (0, 7, 20, "sent 0 of 7, for 20 s"),
            (0, 0, 180, "sent, for 3 min"),
            (1_200, 1_200, 40, "sent 1200 of 1200, 30 a second, about 0 s left"),
        ] {
            assert_eq!(sentence("sent", done, total, Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn lines_come_now_and_then_until_it_is_over() {
        let (sender, lines) = mpsc::channel();
        let tell = move |line: &str| sender.send(line.to_owned()).unwrap();
        let progress = Progress::lines("sent", 4, Duration::from_millis(1), tell);
        progress.add(3);
        let is_told = |told: &str| lines.iter().any(|line| line.starts_with(told));
        assert!(is_told("sent 3 of 4, "), "a line tells of it");
        progress.turn_to("read", 0);
        assert!(is_told("read, for "), "the next part of the work is told");
        drop(progress);
        assert!(!is_told("nothing of the kind"), "the lines end, as otherwise this never does");
    }
}
