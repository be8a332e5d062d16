// fulmar-ceiling: how fast this machine's loopback exchanges the bytes of NVMe/TCP when nothing
// else is done. `run` starts both sides as two processes; `server` and `client` start one. The
// answer is JSON on stdout. The benchmark reports Fulmar as a share of it, so it has to be as fast
// as it can be made.
//
// bench-links: base host
#include "bench/ceiling/client.hpp"
#include "bench/ceiling/memory.hpp"
#include "bench/ceiling/server.hpp"
#include "bench/ceiling/shape.hpp"
#include "bench/ceiling/socket.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>

namespace {

using namespace fulmar::bench;

struct settings {
    server_options server;
    client_options client;
    std::string kind = "read";
    std::size_t memory_mib = 1024;
    std::uint16_t port = 0;
    int server_cpu = -1;
    int client_cpu = -1;
};

[[noreturn]] void serve(const settings& s, int listener, bool once) {
    pin_thread(s.server_cpu);
    walked_memory memory(s.memory_mib << 20);
    if (!once) {
        std::printf("{\"port\":%u,\"pid\":%d}\n", s.port, ::getpid());
        std::fflush(stdout);
    }
    do serve_run(listener, memory, s.server);
    while (!once);
    std::exit(0);
}

void report(const settings& s, const client_report& r) {
    const double exchanges = static_cast<double>(r.exchanges);
    const auto us = [&](double fraction) {
        return static_cast<double>(r.latency.percentile_ns(fraction)) / 1e3;
    };
    const nlohmann::ordered_json out{
        {"kind", s.kind},
        {"block_bytes", s.client.block_bytes},
        {"depth", s.client.depth},
        {"connections", s.client.connections},
        {"wait", s.client.wait == waiting::epoll ? "epoll" : "try"},
        {"seconds", r.seconds},
        {"iops", exchanges / r.seconds},
        {"mib_per_s", exchanges * s.client.block_bytes / r.seconds / (1 << 20)},
        {"mean_us", r.latency.mean_ns() / 1e3},
        {"p50_us", us(0.5)},
        {"p99_us", us(0.99)},
        {"p999_us", us(0.999)},
        {"max_us", static_cast<double>(r.latency.max_ns()) / 1e3},
        {"client_cpu_share", static_cast<double>(r.client_cpu_ns) / 1e9 / r.seconds},
        {"server_cpu_share", static_cast<double>(r.server_cpu_ns) / 1e9 / r.seconds},
        {"server_cpu_us_per_exchange", static_cast<double>(r.server_cpu_ns) / 1e3 / exchanges},
    };
    std::printf("%s\n", out.dump().c_str());
}

void ask(settings& s) {
    if (s.kind == "read")
        s.client.kind = exchange::read;
    else if (s.client.block_bytes <= in_capsule_limit_bytes)
        s.client.kind = exchange::write_in_capsule;
    else
        s.client.kind = exchange::write_on_request;
    s.client.port = s.port;
    pin_thread(s.client_cpu);
    report(s, run_client(s.client));
}

/// Server as a child that dies with us, client here.
void run(settings& s) {
    fulmar::unique_fd listener = listen_loopback(s.port);
    const pid_t child = ::fork();
    if (child < 0) die("fork");
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(s, listener.get(), true);
    }
    ask(s);
    ::waitpid(child, nullptr, 0);
}

void add_server_options(CLI::App& app, settings& s) {
    app.add_option("--server-cpu", s.server_cpu, "CPU to pin the server to");
    app.add_option("--memory", s.memory_mib, "MiB that the server walks (a power of two)")
        ->capture_default_str();
}

void add_client_options(CLI::App& app, settings& s) {
    app.add_option("--kind", s.kind)
        ->check(CLI::IsMember({"read", "write"}))
        ->capture_default_str();
    app.add_option("--block-size", s.client.block_bytes, "bytes, a power of two")
        ->capture_default_str();
    app.add_option("--queue-depth", s.client.depth, "exchanges under way per connection")
        ->check(CLI::Range(1, 4096));
    app.add_option("--connections", s.client.connections)->check(CLI::Range(1, 1024));
    app.add_option("--seconds", s.client.seconds)->capture_default_str();
    app.add_option("--warmup", s.client.warmup_seconds, "seconds before counting")
        ->capture_default_str();
    app.add_option("--receive-bytes", s.client.receive_bytes, "most that one receive takes")
        ->capture_default_str();
    app.add_option("--client-cpu", s.client_cpu, "CPU to pin the client to");
}

}  // namespace

int main(int argc, char** argv) {
    settings s;
    CLI::App app{"The loopback ceiling: the bytes of NVMe/TCP with no NVMe in them."};
    app.require_subcommand(1);
    std::string wait = "try";
    const auto add_wait = [&](CLI::App& to) {
        to.add_option("--wait", wait, "how ready sockets are found: try (receive on each) or epoll")
            ->check(CLI::IsMember({"try", "epoll"}))
            ->capture_default_str();
        to.add_option("--socket-buffer", s.server.buffer_bytes,
                      "SO_SNDBUF and SO_RCVBUF; 0: the kernel's choice");
    };
    CLI::App* both = app.add_subcommand("run", "both sides, as two processes");
    CLI::App* server =
        app.add_subcommand("server", "the answering side, until killed; prints its port as JSON");
    CLI::App* client = app.add_subcommand("client", "the asking side, once");
    for (CLI::App* each : {both, server, client}) add_wait(*each);
    for (CLI::App* each : {both, server}) add_server_options(*each, s);
    for (CLI::App* each : {both, client}) add_client_options(*each, s);
    server->add_option("--port", s.port, "0: any")->capture_default_str();
    client->add_option("--port", s.port)->required();
    CLI11_PARSE(app, argc, argv);

    s.server.wait = s.client.wait = wait == "epoll" ? waiting::epoll : waiting::try_each;
    s.client.buffer_bytes = s.server.buffer_bytes;
    if (both->parsed()) {
        run(s);
    } else if (server->parsed()) {
        fulmar::unique_fd listener = listen_loopback(s.port);
        serve(s, listener.get(), false);
    } else {
        ask(s);
    }
}
