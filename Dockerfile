# Two stages: the build, whose dependencies are cached apart from the code, and the program alone.
#
#   docker build -t cookie-firewall .
#   docker run -p 8080:8080 -p 127.0.0.1:9090:9090 -v ./config:/etc/cookie-firewall:ro cookie-firewall
#
# In a container the admin listener needs admin = "0.0.0.0:9090" to be reached from outside of it;
# publish that port on a private address only.

FROM docker.io/library/rust:1-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# Stand-ins for the code, so that a change of it does not build the dependencies again.
RUN mkdir -p src benches \
    && echo 'fn main() {}' | tee src/main.rs benches/decide.rs benches/enforce.rs > /dev/null \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src benches
COPY src src
COPY benches benches
# cargo goes by modification times, and the stand-ins are younger than the code.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked

FROM docker.io/library/debian:bookworm-slim
COPY --from=build /src/target/release/cookie-firewall /usr/local/bin/cookie-firewall
COPY config /etc/cookie-firewall
# Nothing is written and no port below 1024 is needed; the number stands for nobody on the host.
USER 10001:10001
ENV COOKIE_FIREWALL_CONFIG=/etc/cookie-firewall/cookie-firewall.toml
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["cookie-firewall"]
CMD ["run"]
