//! Lines on their way out, written on a thread of their own: a disk that is full, or a reader that
//! has stalled or gone, must not hold up an exchange.
//!
//! What whoever reads does not take in time is left out and counted. The order of the lines stays.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus::IntCounter;

/// Bytes that wait at most: tens of thousands of lines, such as the warnings of a thousand sites,
/// which a reload logs at once.
const WAITING: usize = 8 << 20;

/// How long the end waits for what is still to be written.
const END: Duration = Duration::from_secs(1);

/// Where lines are written to without waiting.
#[derive(Clone)]
pub struct Lines(Arc<Queue>);

/// Has what was written before go out when it is dropped, unless nobody takes it.
#[must_use]
pub struct LastLines(Arc<Queue>);

struct Queue {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Everything has been written.
    emptied: Condvar,
    left_out: IntCounter,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
}

impl Lines {
    /// Writes lines to `out`, and counts those that could not be.
    ///
    /// # Errors
    ///
    /// Where the system has no thread to give.
    pub fn to(
        out: impl Write + Send + 'static,
        left_out: IntCounter,
    ) -> io::Result<(Self, LastLines)> {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            left_out,
        });
        let writer = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_for_ever(out))?;
        Ok((Self(Arc::clone(&queue)), LastLines(queue)))
    }
}

impl Write for Lines {
    /// Takes the whole of a line, or leaves the whole of it out.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if line.len() > WAITING - state.waiting.len() {
            self.0.left_out.inc();
        } else {
            state.waiting.extend_from_slice(line);
            self.0.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LastLines {
    fn drop(&mut self) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let _ = self.0.emptied.wait_timeout_while(self.0.state(), END, is_busy);
    }
}

impl Queue {
    fn write_for_ever(&self, mut out: impl Write) {
        let mut is_torn = false;
        loop {
            let lines = self.next();
            // One at a time: processes that share a file or a pipe do not tear each other's apart.
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                if write(&mut out, line, &mut is_torn).is_err() {
                    self.left_out.inc();
                }
            }
        }
    }

    /// What waits, once something does.
    fn next(&self) -> Vec<u8> {
        let mut state = self.state();
        state.is_writing = false;
        if state.waiting.is_empty() {
            self.emptied.notify_all();
        }
        let is_empty = |state: &mut State| state.waiting.is_empty();
        let waited = self.filled.wait_while(state, is_empty);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        std::mem::take(&mut state.waiting)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a line, apart from the one before it where that was torn: a disk takes what it has room for.
fn write(out: &mut impl Write, line: &[u8], is_torn: &mut bool) -> io::Result<()> {
    if *is_torn {
        out.write_all(b"\n")?;
        *is_torn = false;
    }
    let mut rest = line;
    while !rest.is_empty() {
        match out.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        *is_torn = !rest.is_empty();
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn counter() -> IntCounter {
        IntCounter::new("left_out", "Lines.").expect("a valid name")
    }

    /// Hands over what it is given, or fails; waits for a word before each if it is to.
    struct Out {
        written: Sender<Vec<u8>>,
        word: Option<Receiver<()>>,
        fails: bool,
    }

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(word) = &self.word {
                let _ = word.recv();
            }
            if self.fails {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_end_waits_for_the_last_line_and_the_order_stays() {
        let (written, lines) = channel();
        let out = Out { written, word: None, fails: false };
        let (mut log, last) = Lines::to(out, counter()).expect("a thread");
        for number in 0..1000 {
            writeln!(log, "{number}").expect("never fails");
        }
        drop(last);
        let lines: Vec<u8> = lines.try_iter().flatten().collect();
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(lines).expect("digits"), expected);
    }

    #[test]
    fn a_reader_that_stalls_holds_up_nobody_and_what_it_misses_is_counted() {
        let (go_on, word) = channel();
        let (written, lines) = channel();
        let left_out = counter();
        let out = Out { written, word: Some(word), fails: false };
        let (mut log, last) = Lines::to(out, left_out.clone()).expect("a thread");
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let count = 3 * WAITING / line.len();
        for _ in 0..count {
            log.write_all(&line).expect("never fails");
        }
        let missed = left_out.get() as usize;
        assert!(missed >= WAITING / line.len(), "{missed} of {count} lines were left out");
        drop(go_on);
        drop(last);
        assert_eq!(lines.iter().take(count - missed).count(), count - missed);
    }

    #[test]
    fn a_full_disk_holds_up_nobody_and_what_it_misses_is_counted() {
        let left_out = counter();
        let out = Out { written: channel().0, word: None, fails: true };
        let (mut log, last) = Lines::to(out, left_out.clone()).expect("a thread");
        for _ in 0..3 {
            log.write_all(b"line\n").expect("never fails");
        }
        drop(last);
        assert_eq!(left_out.get(), 3);
    }

    /// A disk with room for so many bytes.
    struct Disk {
        held: Vec<u8>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room - self.held.len());
            self.held.extend_from_slice(&bytes[..count]);
            if count == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(count) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_full_disk_has_torn_takes_no_other_with_it() {
        let mut disk = Disk { held: Vec::new(), room: 9 };
        let mut is_torn = false;
        assert!(write(&mut disk, b"first\n", &mut is_torn).is_ok());
        assert!(write(&mut disk, b"second\n", &mut is_torn).is_err());
        assert!(write(&mut disk, b"third\n", &mut is_torn).is_err());
        disk.room = 99;
        assert!(write(&mut disk, b"fourth\n", &mut is_torn).is_ok());
        assert_eq!(String::from_utf8_lossy(&disk.held), "first\nsec\nfourth\n");
    }
}
