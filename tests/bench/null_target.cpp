// fulmar-null-target: a peer that answers as fast as sockets allow, to measure the load generator.
//
// bench-links: base nvme host test_support
#include "support/null_peer.hpp"

#include <CLI/CLI.hpp>
#include <sched.h>

#include <atomic>
#include <csignal>
#include <cstdio>

namespace {
std::atomic<bool> stop{false};
}

int main(int argc, char** argv) {
    CLI::App app{"An NVMe/TCP controller with nothing in it, for measuring hosts."};
    fulmar::test::null_peer::options options;
    int cpu = -1;
    app.add_option("--port", options.port);
    app.add_option("--memory", options.memory_bytes, "bytes")->transform(CLI::AsSizeValue(false));
    app.add_option("--cpu", cpu);
    app.add_flag("!--drop-writes", options.store_data);
    CLI11_PARSE(app, argc, argv);
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(static_cast<unsigned>(cpu), &set);
        ::sched_setaffinity(0, sizeof set, &set);
    }
    for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { stop = true; });
    fulmar::test::null_peer peer(options);
    std::printf("127.0.0.1:%u\n", peer.port());
    std::fflush(stdout);
    peer.run(stop);
}
