// fulmard, in reading order: options, configuration, memory, reactors, transports, target, administration, serve, stop.
#include <fulmar/admin/config.hpp>
#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/engine/reactor_pool.hpp>
#include <fulmar/mem/environment.hpp>
#include <fulmar/transport/tcp.hpp>

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

using namespace fulmar;

namespace {

result<std::unique_ptr<backend::device>> make_device(const core::device_spec& spec) {
    if (spec.type == "ram") return backend::make_ram_device({.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
    if (spec.type == "null") return backend::make_null_device({.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
    return fail(errc::not_supported, "there is no device type " + spec.type);
}

struct stop_watch : engine::descriptor_watch {
    explicit stop_watch(std::function<void()> f) : descriptor_watch([](descriptor_watch& w, std::uint32_t) noexcept { static_cast<stop_watch&>(w).on_signal(); }), on_signal(std::move(f)) {}
    std::function<void()> on_signal;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3 || std::strcmp(argv[1], "--config") != 0) { std::fprintf(stderr, "usage: fulmard --config FILE\n"); return 2; }
    auto loaded = admin::load_config(argv[2]);
    if (!loaded) { for (const auto& line : loaded.error().lines(argv[2])) std::fprintf(stderr, "%s\n", line.c_str()); return 1; }
    const admin::daemon_options& options = loaded->config.options;
    log::initialise(options.log_level);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    auto env = mem::environment::bring_up({.memory_bytes = std::size_t{options.memory.pool_mib} * 1024 * 1024 * options.cores.data, .hugepages = options.memory.hugepages != admin::hugepage_use::off});
    if (!env) { log::error("{}", env.error().text()); return 1; }
    monotonic_clock clock;
    auto control = engine::reactor::create({.id = reactor_id(0xffff), .busy_window = duration::zero(), .clock = &clock});
    if (!control) { log::error("{}", control.error().text()); return 1; }
    auto pool = engine::reactor_pool::create({.count = options.cores.data, .cpus = options.cores.cpus, .busy_window = std::chrono::microseconds(options.cores.busy_poll_us), .clock = &clock,
        .hooks = {.on_start = [](engine::reactor&) noexcept { return mem::environment::register_thread(); }, .on_stop = [](engine::reactor&) noexcept { mem::environment::unregister_thread(); }}});
    if (!pool) { log::error("{}", pool.error().text()); return 1; }
    auto target = std::make_unique<core::target>(**control, core::target::setup{.limits = options.target, .make_device = make_device, .hugepages = (*env)->hugepages()});
    for (const auto& r : (*pool)->reactors()) {
        auto buffers = mem::buffer_pool::create((*env)->memory(), {.bytes = std::size_t{options.memory.pool_mib} * 1024 * 1024});
        if (!buffers) { log::error("{}", buffers.error().text()); return 1; }
        target->add_poll_group(*r, std::move(*buffers));
    }
    if (auto added = target->add_transport(transport::make_tcp_transport(*target)); !added) { log::error("{}", added.error().text()); return 1; }
    if (auto started = (*pool)->start(); !started) { log::error("{}", started.error().text()); return 1; }
    target->start(loaded->config.spec, [](const error& e) { log::error("{}", e.text()); }, [] { log::info("serving"); });
    unique_fd sfd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    bool stop_requested = false;
    stop_watch watch([&] {
        signalfd_siginfo info;
        while (::read(sfd.get(), &info, sizeof info) > 0) {}
        if (stop_requested) return;
        stop_requested = true;
        target->shut_down([&] { (*control)->stop(); });
    });
    (void)(*control)->watch(watch, sfd.get(), EPOLLIN);
    (*control)->run();
    (*control)->unwatch(watch);
    (*pool)->stop();
    target.reset();
    log::info("stopped");
    return 0;
}
