//! What the tests over real sockets share: a scripted origin, the firewall on free ports, and a
//! client that shows raw bytes.
#![allow(dead_code, missing_docs)]

pub mod h2;
pub mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cookie_firewall::config;
use cookie_firewall::server::{self, Bound};
use cookie_firewall::telemetry::Telemetry;
use tokio::sync::oneshot;

/// Long enough for a loaded machine; only a broken test waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The domain that the tests' site has.
pub const DOMAIN: &str = "data.example.fr";

/// A message as it was on the wire.
#[derive(Clone, Debug)]
pub struct Message {
    /// The first line and the field lines, without line ends.
    pub head: Vec<Vec<u8>>,
    pub body: Vec<u8>,
    /// The trailer lines of a chunked body.
    pub trailers: Vec<Vec<u8>>,
}

impl Message {
    pub fn first_line(&self) -> String {
        String::from_utf8_lossy(&self.head[0]).into_owned()
    }

    pub fn status(&self) -> u16 {
        self.first_line().split(' ').nth(1).expect("a status line").parse().expect("a status")
    }

    /// The values of every line of a field, in order.
    pub fn all(&self, name: &str) -> Vec<Vec<u8>> {
        self.head[1..].iter().filter_map(|line| value(line, name)).collect()
    }

    /// The values of every line of a field, as text.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.all(name).iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn value(line: &[u8], name: &str) -> Option<Vec<u8>> {
    let colon = line.iter().position(|&b| b == b':')?;
    let value = &line[colon + 1..];
    let value = value.strip_prefix(b" ").unwrap_or(value);
    line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| value.to_vec())
}

/// Bytes both ways, over TCP or TLS.
pub trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// One side of a connection, read message by message.
pub struct Peer {
    reader: BufReader<Box<dyn Stream>>,
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("the listener is there"))
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a positive time");
        stream.set_write_timeout(Some(PATIENCE)).expect("a positive time");
        stream.set_nodelay(true).expect("a TCP socket");
        Self::over(stream)
    }

    /// Over a stream that ends by itself where the peer does nothing.
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self { reader: BufReader::new(Box::new(stream)) }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.reader.get_mut().write_all(bytes.as_ref()).expect("the peer reads");
        self
    }

    /// The underlying socket, for reading and writing large bodies.
    pub fn stream(&mut self) -> &mut BufReader<Box<dyn Stream>> {
        &mut self.reader
    }

    /// The head alone, or `None` where the connection ended.
    pub fn head(&mut self) -> Option<Message> {
        let head = self.lines()?;
        Some(Message { head, body: Vec::new(), trailers: Vec::new() })
    }

    /// A request, or `None` where the connection ended.
    pub fn request(&mut self) -> Option<Message> {
        let mut message = self.head()?;
        self.read_body(&mut message, false);
        Some(message)
    }

    /// A final response to a request that was not HEAD.
    pub fn response(&mut self) -> Message {
        loop {
            let mut message = self.head().expect("a response");
            match message.status() {
                100..200 => {}
                204 | 304 => return message,
                _ => {
                    self.read_body(&mut message, true);
                    return message;
                }
            }
        }
    }

    /// Whether the peer closes without another byte.
    pub fn is_closed(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    fn lines(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.reader.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            while line.ends_with(b"\n") || line.ends_with(b"\r") {
                line.pop();
            }
            if line.is_empty() {
                return Some(lines);
            }
            lines.push(line);
        }
    }

    fn read_body(&mut self, message: &mut Message, until_close: bool) {
        let chunked = message.texts("transfer-encoding").iter().any(|v| v.contains("chunked"));
        let length = message.texts("content-length").first().map(|v| v.parse::<usize>());
        if chunked {
            self.read_chunks(message);
        } else if let Some(length) = length {
            message.body.resize(length.expect("a length"), 0);
            self.reader.read_exact(&mut message.body).expect("the whole body");
        } else if until_close {
            self.reader.read_to_end(&mut message.body).expect("the body up to the end");
        }
    }

    fn read_chunks(&mut self, message: &mut Message) {
        loop {
            let mut size = String::new();
            self.reader.read_line(&mut size).expect("a chunk");
            let size = usize::from_str_radix(size.trim(), 16).expect("a chunk's size");
            if size == 0 {
                message.trailers = self.lines().expect("the end of the chunks");
                return;
            }
            let start = message.body.len();
            message.body.resize(start + size + 2, 0);
            self.reader.read_exact(&mut message.body[start..]).expect("a whole chunk");
            message.body.truncate(start + size);
        }
    }
}

/// An origin that answers as its script says, and remembers what it was asked.
pub struct Origin {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Message>>>,
    connections: Arc<AtomicUsize>,
}

impl Origin {
    /// Answers every request with the bytes that `script` makes of it. An empty answer closes the
    /// connection, as does one without a length.
    pub fn new(script: impl Fn(&Message) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::raw(move |peer, seen| {
            while let Some(request) = peer.request() {
                let answer = script(&request);
                seen.lock().expect("no test thread panicked").push(request);
                let delimited = [&b"ontent-"[..], b"chunked", b" 204 ", b" 304 "];
                let stays = delimited.iter().any(|word| contains(&answer, word));
                if answer.is_empty() || peer.reader.get_mut().write_all(&answer).is_err() || !stays
                {
                    return;
                }
            }
        })
    }

    /// Always the same answer.
    pub fn fixed(answer: impl AsRef<[u8]>) -> Self {
        let answer = answer.as_ref().to_vec();
        Self::new(move |_| answer.clone())
    }

    /// Runs `serve` on every connection.
    pub fn raw(serve: impl Fn(&mut Peer, &Mutex<Vec<Message>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let seen = Arc::<Mutex<Vec<Message>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let (log, count, serve) = (Arc::clone(&seen), Arc::clone(&connections), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let (log, serve) = (Arc::clone(&log), Arc::clone(&serve));
                std::thread::spawn(move || serve(&mut Peer::new(stream), &log));
            }
        });
        Self { address, seen, connections }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Message> {
        self.seen.lock().expect("no test thread panicked").clone()
    }

    /// The last request.
    pub fn last(&self) -> Message {
        self.seen().pop().expect("a request has come")
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

pub fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A response with these `Set-Cookie` lines and a short body.
pub fn setting(status: &str, cookies: &[&[u8]]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for cookie in cookies {
        answer.extend_from_slice(b"Set-Cookie: ");
        answer.extend_from_slice(cookie);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"Content-Length: 2\r\n\r\nok");
    answer
}

/// The declarations that most tests use.
pub const CHARTER: &str = r#"
[consent.categories]
statistics = ["matomo"]
marketing  = ["ga"]

[[cookie]]
name     = "sessionid"
provider = "Portal"
purpose  = "Tests"
category = "necessary"
max_age  = "14 days"

[[cookie]]
name     = "csrftoken"
provider = "Portal"
purpose  = "Tests"
category = "necessary"

[[cookie]]
name     = "cookies_preferences"
provider = "Portal"
purpose  = "Tests"
category = "necessary"

[[cookie]]
name     = "__Host-id"
provider = "Portal"
purpose  = "Tests"
category = "necessary"

[[cookie]]
name     = "_pk_id.*"
provider = "Portal"
purpose  = "Tests"
category = "statistics"

[[cookie]]
name     = "_ga"
provider = "Portal"
purpose  = "Tests"
category = "marketing"
"#;

/// What a firewall of a test is configured with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Further keys of `[server]`; without listeners among them there is one for clear text.
    pub server: String,
    /// Further tables of the main file.
    pub main: String,
    /// Site files, whole.
    pub sites: Vec<String>,
    /// Further files beside them: names and contents.
    pub files: Vec<(String, String)>,
}

impl Setup {
    /// One site with the usual domain; `site` is the rest of its file.
    pub fn new(site: &str) -> Self {
        let sites = vec![format!("domain = \"{DOMAIN}\"\n{site}")];
        Self { server: "workers = 1".into(), main: String::new(), sites, files: Vec::new() }
    }

    /// With further keys of `[server]`.
    pub fn server(mut self, keys: &str) -> Self {
        self.server = format!("{}\n{keys}", self.server);
        self
    }

    /// With further tables of the main file.
    pub fn main(mut self, tables: &str) -> Self {
        self.main.push_str(tables);
        self
    }

    /// With another site file.
    pub fn site(mut self, text: &str) -> Self {
        self.sites.push(text.to_owned());
        self
    }

    /// With a file beside the main file.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The text of the main file.
    pub fn main_file(&self) -> String {
        let Self { server, main, .. } = self;
        let listens = ["http =", "https ="].iter().any(|key| server.contains(key));
        let http = if listens { "" } else { "http = [\"127.0.0.1:0\"]\n" };
        format!(
            "[server]\n{http}admin = \"127.0.0.1:0\"\nsites = [\"*.site.toml\"]\n{server}\n{main}"
        )
    }

    /// Writes every file; returns the path of the main file.
    pub fn write(&self, directory: &Directory) -> PathBuf {
        for (name, text) in &self.files {
            directory.write(name, text);
        }
        for (number, text) in self.sites.iter().enumerate() {
            directory.write(&format!("{number}.site.toml"), text);
        }
        directory.write("main.toml", &self.main_file())
    }

    /// Starts a firewall.
    pub fn start(&self) -> Firewall {
        let directory = Directory::new();
        let path = self.write(&directory);
        Firewall::start(path, directory)
    }
}

/// The firewall, serving on free ports in a thread of its own.
pub struct Firewall {
    /// The first clear-text listener; where there is none, a TLS listener.
    pub http: SocketAddr,
    pub https: Vec<SocketAddr>,
    pub admin: SocketAddr,
    pub directory: Directory,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Firewall {
    /// In front of `origin`, with the usual charter.
    pub fn before(origin: &Origin) -> Self {
        Self::with(&format!("upstream = \"{}\"\n{CHARTER}", origin.url()))
    }

    /// With a site file of the test's own, but for the domain.
    pub fn with(site: &str) -> Self {
        Setup::new(site).start()
    }

    /// With further tables of the main file.
    pub fn configured(main: &str, site: &str) -> Self {
        Setup::new(site).main(main).start()
    }

    /// With several workers.
    pub fn on_workers(workers: usize, main: &str, site: &str) -> Self {
        let mut setup = Setup::new(site).main(main);
        setup.server = format!("workers = {workers}");
        setup.start()
    }

    fn start(path: PathBuf, directory: Directory) -> Self {
        let reading = config::read(&path);
        let source = server::Source::new(reading.files);
        let loaded = reading.result.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let config = loaded.config;
        let bound = Bound::new(&config.server).expect("free ports");
        let (http, https) = (bound.http().expect("bound"), bound.https().expect("bound"));
        let admin = bound.admin().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let stop = async {
                let _ = stopped.await;
            };
            let telemetry = Arc::new(Telemetry::default());
            let serving =
                async { server::serve(bound, &config, Some(source), telemetry, stop).await };
            runtime.expect("a runtime").block_on(serving).expect("the server runs");
        });
        let http = http.first().or(https.first()).copied().expect("a listener");
        Self { http, https, admin, directory, stop: Some(stop), thread: Some(thread) }
    }

    /// Asks for a reload; returns the status and what was said.
    pub fn reload(&self) -> (u16, String) {
        let mut admin = Peer::connect(self.admin);
        admin.send("POST /-/reload HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        let response = admin.response();
        (response.status(), response.text())
    }

    /// One GET on the admin listener.
    pub fn ask_admin(&self, path: &str) -> Message {
        let mut admin = Peer::connect(self.admin);
        admin.send(format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n"));
        admin.response()
    }

    /// A connection to the public listener.
    pub fn connect(&self) -> Peer {
        Peer::connect(self.http)
    }

    /// One GET with these header lines, on a connection of its own.
    pub fn get(&self, path: &str, lines: &[&str]) -> Message {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n{}", joined(lines)))
    }

    /// One request whose head is `head`, which ends in a line end.
    pub fn exchange(&self, head: &str) -> Message {
        self.connect().send(format!("{head}Connection: close\r\n\r\n")).response()
    }

    /// One GET with a `Cookie` field.
    pub fn get_with(&self, cookie: &str) -> Message {
        self.get("/", &[&format!("Cookie: {cookie}")])
    }

    /// The sample of a metric with exactly these labels, or 0.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.metrics();
        let samples = text.lines().filter(|line| {
            line.split(['{', ' ']).next() == Some(name)
                && labels.iter().all(|(k, v)| line.contains(&format!("{k}=\"{v}\"")))
        });
        samples
            .map(|line| line.rsplit(' ').next().unwrap_or("0").parse::<f64>().unwrap_or(0.0))
            .sum()
    }

    /// Cookies counted with this direction, decision and reason.
    pub fn counted(&self, direction: &str, decision: &str, reason: &str) -> f64 {
        let labels = [("direction", direction), ("decision", decision), ("reason", reason)];
        self.metric("cookie_firewall_cookies_total", &labels)
    }

    /// The scrape.
    pub fn metrics(&self) -> String {
        let mut admin = Peer::connect(self.admin);
        admin.send("GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        admin.response().text()
    }

    /// Waits until `condition` holds of the metrics, which are counted beside the exchange.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(
                std::time::Instant::now() < deadline,
                "{what} did not come:\n{}",
                self.metrics()
            );
            std::thread::yield_now();
        }
    }

    /// Begins to stop, without waiting.
    pub fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Stops and waits for the end.
    pub fn stop(mut self) {
        self.begin_stop();
        self.thread.take().expect("stopped once").join().expect("no panic while serving");
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        self.begin_stop();
    }
}

fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// A directory of the test's own, removed at its end.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("cookie-firewall-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the directory can be written");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The consent cookie with these answers, made a minute ago.
pub fn consent(matomo: bool, ga: bool) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = now.expect("after 1970").as_millis() - 60_000;
    let json =
        format!(r#"{{"functional_cookies":true,"matomo":{matomo},"ga":{ga},"timestamp":{at}}}"#);
    let encoded: String = json
        .chars()
        .map(|c| match c {
            '{' => "%7B".into(),
            '}' => "%7D".into(),
            '"' => "%22".into(),
            ',' => "%2C".into(),
            ':' => "%3A".into(),
            c => c.to_string(),
        })
        .collect();
    format!("cookies_preferences={encoded}")
}
