//! A load that comes when it is due, whether or not the answers before it have come.
//!
//! ```text
//! pace ADDRESS RATE SECONDS CONNECTIONS < REQUEST
//! ```
//!
//! Sends the bytes of REQUEST to ADDRESS at RATE a second in all, spread evenly over so many connections that are kept
//! open, each with a thread of its own. A request's latency counts from the moment at which it was due and not from that
//! at which it could be sent: a proxy that stands still is charged with everything that had to wait meanwhile. What was
//! due and not sent when the time was over counts with the time that it has waited. With RATE 0, each connection asks
//! again as soon as it is answered. Prints one line of JSON. Any answer but a complete 200 ends the run with an error.

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

const STACK_BYTES: usize = 128 * 1024;
const ANSWER_BYTES: usize = 64 * 1024;
const LATE_US: u64 = 5_000;

fn main() -> ExitCode {
    match plan().and_then(|plan| run(&plan)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pace: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Plan {
    address: String,
    rate: f64,
    duration: Duration,
    connections: u32,
    request: Vec<u8>,
}

fn plan() -> io::Result<Plan> {
    let mut arguments = env::args().skip(1);
    let mut next = || {
        arguments.next().ok_or_else(|| {
            io::Error::other("usage: pace ADDRESS RATE SECONDS CONNECTIONS < REQUEST")
        })
    };
    let address = next()?;
    let rate = next()?.parse().map_err(io::Error::other)?;
    let duration = Duration::from_secs_f64(next()?.parse().map_err(io::Error::other)?);
    let connections = next()?.parse().map_err(io::Error::other)?;
    let mut request = Vec::new();
    io::stdin().read_to_end(&mut request)?;
    Ok(Plan { address, rate, duration, connections, request })
}

fn run(plan: &Plan) -> io::Result<String> {
    let connections = (0..plan.connections)
        .map(|_| Connection::open(&plan.address))
        .collect::<io::Result<Vec<_>>>()?;
    // All threads are there before the first request is due.
    let start = Instant::now() + Duration::from_millis(20);
    let outcomes: io::Result<Vec<Outcome>> = thread::scope(|scope| {
        let threads = connections
            .into_iter()
            .zip(0..)
            .map(|(connection, number)| {
                thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, move || drive(plan, start, number, connection))
            })
            .collect::<io::Result<Vec<_>>>()?;
        threads
            .into_iter()
            .map(|thread| {
                thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
            })
            .collect()
    });
    Ok(report(&outcomes?, start.elapsed().min(plan.duration)))
}

/// What came of one connection's requests.
#[derive(Default)]
struct Outcome {
    latencies_us: Vec<u64>,
    unsent: usize,
}

fn drive(
    plan: &Plan,
    start: Instant,
    number: u32,
    mut connection: Connection,
) -> io::Result<Outcome> {
    let end = start + plan.duration;
    let mut outcome = Outcome::default();
    for turn in 0_u64.. {
        let due = if plan.rate > 0.0 {
            let place = turn as f64 * f64::from(plan.connections) + f64::from(number);
            start + Duration::from_secs_f64(place / plan.rate)
        } else {
            Instant::now().max(start)
        };
        if due >= end {
            break;
        }
        let now = Instant::now();
        if now >= end {
            outcome.unsent += 1;
            outcome.latencies_us.push(micros(now - due));
            continue;
        }
        thread::sleep(due.saturating_duration_since(now));
        connection.exchange(&plan.request)?;
        outcome.latencies_us.push(micros(due.elapsed()));
    }
    Ok(outcome)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { stream, buffer: vec![0; ANSWER_BYTES] })
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            let free = self.buffer.get_mut(filled..).filter(|free| !free.is_empty());
            let read = self
                .stream
                .read(free.ok_or_else(|| io::Error::other("an answer is too large"))?)?;
            if read == 0 {
                return Err(io::Error::other("a connection was closed"));
            }
            filled += read;
            if let Some(length) = answer_length(&self.buffer[..filled])?
                && filled >= length
            {
                return Ok(());
            }
        }
    }
}

/// How many bytes the answer has that begins so, once its head is complete.
fn answer_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(format!("an answer is not 200: {status}")));
    }
    let body = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or_else(|| io::Error::other("an answer has no Content-Length"))?;
    Ok(Some(end + 4 + body))
}

fn report(outcomes: &[Outcome], duration: Duration) -> String {
    let mut all: Vec<u64> =
        outcomes.iter().flat_map(|outcome| &outcome.latencies_us).copied().collect();
    all.sort_unstable();
    let unsent: usize = outcomes.iter().map(|outcome| outcome.unsent).sum();
    let percentile = |share: f64| {
        let place = ((all.len() as f64 * share).ceil() as usize).clamp(1, all.len().max(1)) - 1;
        all.get(place).copied().unwrap_or(0)
    };
    format!(
        r#"{{"requests":{},"unsent":{unsent},"requests_per_second":{:.1},"p50_us":{},"p75_us":{},"p90_us":{},"p99_us":{},"p99_9_us":{},"max_us":{},"over_5_ms":{}}}"#,
        all.len() - unsent,
        (all.len() - unsent) as f64 / duration.as_secs_f64(),
        percentile(0.5),
        percentile(0.75),
        percentile(0.9),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0),
        all.iter().filter(|latency| **latency > LATE_US).count(),
    )
}
