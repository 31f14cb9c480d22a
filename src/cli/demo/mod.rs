//! `demo`: the firewall at work on an embedded portal.

mod portal;

use std::io::{self, IsTerminal as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, print, run::stop_signal};
use crate::config::{ClientTimeouts, Config, Listener, Listeners, Server, site_from_str};
use crate::policy::Verdict;
use crate::server::{self, Bound};
use crate::telemetry::{Decided, DecisionLog, Lines, Telemetry};

/// The demo's site file; `UPSTREAM` stands for the portal's address.
const SITE: &str = include_str!("site.toml");

/// An embedded portal behind the firewall, to look at in a browser
///
/// The portal behaves like an Opendatasoft one and also sets trackers. Every decision of the
/// firewall is printed as it is made.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The port to serve on; another is picked if it is taken
    #[arg(long, default_value_t = 8080)]
    port: u16,

    /// The port of the admin listener; another is picked if it is taken
    #[arg(long, default_value_t = 9090)]
    admin_port: u16,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let portal = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let config = config(arguments, portal.local_addr()?)?;
        let bound = Bound::new(&config.server)?;
        introduce(&bound, arguments)?;
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let mut telemetry = Telemetry::default();
        let (out, _last) = Lines::to(io::stdout(), telemetry.metrics.log_lines_dropped())?;
        telemetry.decisions = Some(lines(out, colour));
        tokio::spawn(portal::serve(portal));
        server::serve(bound, &config, None, Arc::new(telemetry), stop).await?;
        Ok(())
    })
}

fn config(arguments: &Arguments, portal: SocketAddr) -> Result<Config, Failure> {
    let text = SITE.replace("UPSTREAM", &format!("http://{portal}"));
    let site = site_from_str(Path::new("demo.toml"), &text).map_err(Failure::usage)?;
    let address = free(arguments.port);
    // The first one takes its port only once it serves.
    let admin = if arguments.admin_port == arguments.port { 0 } else { arguments.admin_port };
    let server = Server {
        listeners: Listeners {
            http: vec![Listener { address, proxy_protocol: false }],
            https: Vec::new(),
            admin: free(admin),
        },
        workers: Some(1),
        timeouts: ClientTimeouts { shutdown: Duration::from_secs(2), ..ClientTimeouts::default() },
        ..Server::default()
    };
    Ok(Config { server, sites: vec![Arc::new(site)] })
}

/// The address on this port, or with port 0, which picks another, where it is taken.
fn free(port: u16) -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match std::net::TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

fn introduce(bound: &Bound, arguments: &Arguments) -> Result<(), Failure> {
    let (site, admin) = (bound.http()?[0], bound.admin()?);
    for (wanted, got) in [(arguments.port, site.port()), (arguments.admin_port, admin.port())] {
        if wanted != got && wanted != 0 {
            print(format_args!("Port {wanted} is taken; using {got} instead."))?;
        }
    }
    print(format_args!(
        "\n  The portal, behind the firewall   http://localhost:{}/\n  \
           What was counted (Prometheus)     http://{admin}/metrics\n\n\
         Open the first address, choose in the banner, and watch the decisions here. Ctrl+C ends.\n",
        site.port()
    ))?;
    print(format_args!("{:9} {:8} {:11} cookie", "direction", "decision", "reason"))
}

/// A line for each decision, as a table.
fn lines(out: Lines, colour: bool) -> Box<dyn DecisionLog> {
    Box::new(move |decided: &Decided<'_>| {
        let entry = decided.entry;
        let (on, off) = match entry.verdict {
            _ if !colour => ("", ""),
            Verdict::Keep => ("\x1b[32m", "\x1b[0m"),
            Verdict::Rewrite => ("\x1b[33m", "\x1b[0m"),
            Verdict::Block => ("\x1b[31m", "\x1b[0m"),
        };
        let category = match decided.category() {
            "" => "not in the charter",
            category => category,
        };
        // One line is one piece, so that lines of two threads do not mix.
        let line = format!(
            "{:9} {on}{:8}{off} {:11} {} ({category})\n",
            entry.direction.as_str(),
            entry.verdict.as_str(),
            entry.reason.as_str(),
            decided.name(),
        );
        let _ = out.clone().write_all(line.as_bytes());
    })
}
