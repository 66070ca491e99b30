//! How the memory of the service is shared out: every bound that is told in bytes comes from `server.max_memory_bytes`.
//!
//! Each part has what it needs at the least; what is left over is shared out among them.

const MIB: usize = 1 << 20;
/// What is used where nothing is written and it suffices.
const USUAL: usize = 1024 * MIB;
/// The program itself, connections, what vehicles said (some 55 MB), the batches of the spool and of retries, and refused
/// requests that wait to be written.
const PROCESS: usize = 208 * MIB;
/// How often a body that is being written to the spool is there beside the request's own: its record, and its page.
const SPOOLING: usize = 3;
/// What undoing the hungriest `Content-Encoding` needs beside a body: the largest window of Brotli (RFC 7932 §9.1), and its
/// tables.
pub const DECODER: usize = 17 * MIB;

/// What a configuration says of memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// All of it.
    pub(super) memory: Option<usize>,
    /// Bodies that wait for a store.
    pub(super) held: Option<usize>,
    /// The largest body that any feed takes.
    pub(super) largest_body: usize,
    /// What the heaviest delivery of any feed takes.
    pub(super) heaviest: usize,
}

/// How many bytes each part of the service may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// All of it.
    pub memory: usize,
    /// Bodies that wait for a store.
    pub held: usize,
    /// Bodies on their way in, beside those; those of refused requests are among them.
    pub arriving: usize,
    /// One whole body of the largest that any feed takes: as sent, undone, and what undoing needs.
    pub whole_body: usize,
    /// What is made of bodies while they are read and applied.
    pub reading: usize,
}

/// More memory is needed than was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLittle {
    /// What is needed.
    pub(super) needed: usize,
}

impl Written {
    /// The least that each part needs.
    fn least(self) -> Budgets {
        let Self { memory: _, held, largest_body, heaviest } = self;
        let held = held.unwrap_or(2 * largest_body);
        let whole_body = 2 * largest_body + DECODER;
        let (arriving, reading) = (2 * whole_body, heaviest);
        let beside = PROCESS + SPOOLING * largest_body;
        let memory = beside.saturating_add(held).saturating_add(arriving + reading);
        Budgets { memory, held, arriving, whole_body, reading }
    }

    /// Shares out what is written, or what is usual, or what is needed where that is more.
    ///
    /// # Errors
    /// When what is written does not suffice.
    pub(super) fn share(self) -> Result<Budgets, TooLittle> {
        let least = self.least();
        let memory = match self.memory {
            Some(written) if written < least.memory => return Err(TooLittle { needed: round_up(least.memory) }),
            Some(written) => written,
            None => USUAL.max(round_up(least.memory)),
        };
        // A quarter for each part, and one that is left free, because none is measured to the byte.
        let part = (memory - least.memory) / 4;
        let held = if self.held.is_some() { least.held } else { least.held + part };
        Ok(Budgets { memory, held, arriving: least.arriving + part, reading: least.reading + part, ..least })
    }
}

impl Budgets {
    /// Whether more is used than is usual.
    pub(super) fn is_unusual(&self) -> bool {
        self.memory > USUAL
    }
}

/// To whole MiB.
fn round_up(bytes: usize) -> usize {
    bytes.div_ceil(MIB).saturating_mul(MIB)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::feed::Feed;
    use crate::feeds::weight::heaviest;

    /// With bodies of so many bytes at the most.
    fn with(largest_body: usize) -> Written {
        Written { memory: None, held: None, largest_body, heaviest: heaviest(Feed::LeadCluster, largest_body) }
    }

    #[test]
    fn a_gibibyte_suffices_for_the_limits_that_nobody_wrote() {
        let Budgets { memory, held, arriving, reading, .. } = with(16 * MIB).share().unwrap();
        assert_eq!(memory, USUAL);
        assert!(
            held >= 32 * MIB && arriving >= 32 * MIB && reading >= heaviest(Feed::LeadCluster, 16 * MIB),
            "{held} {arriving} {reading}"
        );
    }

    #[test]
    fn the_parts_never_come_to_more_than_the_whole() {
        for memory in [None, Some(USUAL), Some(4 * USUAL)] {
            for held in [None, Some(MIB), Some(64 * MIB)] {
                for largest_body in [MIB, 16 * MIB] {
                    let Budgets { memory, held, arriving, reading, .. } =
                        Written { memory, held, ..with(largest_body) }.share().unwrap();
                    let beside = PROCESS + SPOOLING * largest_body;
                    assert!(beside + held + arriving + reading <= memory);
                }
            }
        }
    }

    #[test]
    fn more_memory_is_shared_out_and_what_is_written_stays() {
        let usual = with(16 * MIB).share().unwrap();
        let more = Written { memory: Some(2 * USUAL), ..with(16 * MIB) }.share().unwrap();
        assert!(more.held > usual.held && more.arriving > usual.arriving && more.reading > usual.reading);
        let held = Written { held: Some(5 * MIB), ..with(16 * MIB) }.share().unwrap();
        assert_eq!(held.held, 5 * MIB);
    }

    #[test]
    fn limits_that_need_more_have_it_unless_less_is_written() {
        let large = with(256 * MIB);
        let budgets = large.share().unwrap();
        assert!(budgets.is_unusual() && budgets.reading >= heaviest(Feed::LeadCluster, 256 * MIB));
        let refused = Written { memory: Some(USUAL), ..large }.share();
        assert_eq!(refused, Err(TooLittle { needed: budgets.memory }));
        assert_eq!(Written { memory: Some(budgets.memory), ..large }.share().unwrap().memory, budgets.memory);
        assert!(Written { memory: Some(64 * MIB), ..with(16 * MIB) }.share().is_err());
        assert!(!with(16 * MIB).share().unwrap().is_unusual());
    }
}
