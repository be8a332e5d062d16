// 4 KiB at queue depth 32 on one image of Ceph: librbd alone, and a device of ours on it, one after
// the other and again. Both have one client and one thread of their own, which sleeps when there is
// nothing to do. Prints medians and their ratio, and what an image costs in threads and memory;
// exits with 1 when the ratio is below --least.
// bench-links: base nvme engine mem backend
#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <rbd/librbd.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace fulmar;

constexpr std::size_t rbd_depth = 32;
constexpr std::uint64_t rbd_block = 4096;

struct rbd_load_options {
    backend::rbd_options device{.name = "bench", .pool = "rbd", .block_bytes = 4096};
    double seconds = 1;
    int runs = 5;
    bool writes = false;
    double least = 0.9;
};

/// The next place, anywhere below `blocks`.
class rbd_places {
  public:
    explicit rbd_places(std::uint64_t blocks) : blocks_(blocks) {}
    std::uint64_t next() noexcept {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return (state_ >> 20) % blocks_;
    }

  private:
    std::uint64_t blocks_;
    std::uint64_t state_ = 1;
};

[[noreturn]] void rbd_give_up(const std::string& why) {
    fmt::print(stderr, "fulmar-rbd-load: {}\n", why);
    std::_Exit(2);
}

void must(int result, const char* what) {
    if (result < 0) rbd_give_up(fmt::format("{}: {}", what, result));
}

struct alone_request {
    alignas(4096) std::array<char, rbd_block> data{};
};

void begin_alone(rbd_image_t image, bool writes, alone_request& r, std::uint64_t offset) {
    rbd_completion_t c = nullptr;
    must(rbd_aio_create_completion(&r, nullptr, &c), "a completion");
    must(writes ? rbd_aio_write(image, offset, rbd_block, r.data.data(), c)
                : rbd_aio_read(image, offset, rbd_block, r.data.data(), c),
         "a request");
}

/// As fio does: one thread begins requests, and is told of their ends by an eventfd.
double run_alone(rbd_image_t image, const rbd_load_options& options) {
    std::uint64_t size = 0;
    must(rbd_get_size(image, &size), "its size");
    const int ends = ::eventfd(0, EFD_CLOEXEC);
    must(rbd_set_image_notification(image, ends, EVENT_TYPE_EVENTFD), "its events");
    rbd_places where(size / rbd_block);
    std::vector<alone_request> requests(rbd_depth);
    std::array<rbd_completion_t, rbd_depth> ended{};
    std::uint64_t done = 0;
    std::size_t running = rbd_depth;
    const auto begin = std::chrono::steady_clock::now();
    const auto end = begin + std::chrono::duration<double>(options.seconds);
    for (alone_request& r : requests)
        begin_alone(image, options.writes, r, where.next() * rbd_block);
    std::chrono::duration<double> took{};
    while (running != 0) {
        std::uint64_t told = 0;
        if (::read(ends, &told, sizeof told) != sizeof told) rbd_give_up("its events");
        const int count = rbd_poll_io_events(image, ended.data(), static_cast<int>(ended.size()));
        const bool over = std::chrono::steady_clock::now() >= end;
        if (over && took.count() == 0) took = std::chrono::steady_clock::now() - begin;
        for (int i = 0; i < count; ++i) {
            rbd_completion_t c = ended[static_cast<std::size_t>(i)];
            must(static_cast<int>(rbd_aio_get_return_value(c)), "a request");
            auto& r = *static_cast<alone_request*>(rbd_aio_get_arg(c));
            rbd_aio_release(c);
            if (took.count() == 0) ++done;
            if (over)
                --running;
            else
                begin_alone(image, options.writes, r, where.next() * rbd_block);
        }
    }
    return static_cast<double>(done) / took.count();
}

double librbd_alone(const rbd_load_options& options) {
    const backend::rbd_options& o = options.device;
    rados_t rados = nullptr;
    must(rados_create2(&rados, "ceph", ("client." + o.user).c_str(), 0), "a client");
    must(rados_conf_read_file(rados, o.conf.c_str()), "the configuration");
    must(rados_conf_set(rados, "rbd_cache", "false"), "rbd_cache");
    if (!o.keyring.empty()) must(rados_conf_set(rados, "keyring", o.keyring.c_str()), "keyring");
    must(rados_connect(rados), "connecting");
    rados_ioctx_t pool = nullptr;
    must(rados_ioctx_create(rados, o.pool.c_str(), &pool), "the pool");
    rbd_image_t image = nullptr;
    must(rbd_open(pool, o.image.c_str(), &image, nullptr), "the image");
    must(rbd_lock_acquire(image, RBD_LOCK_MODE_EXCLUSIVE), "its lock");
    const double rate = run_alone(image, options);
    rbd_close(image);
    rados_ioctx_destroy(pool);
    rados_shutdown(rados);
    return rate;
}

struct rbd_load_op : backend::io_op {
    alignas(4096) std::array<std::byte, rbd_block> memory{};
    iovec vector{memory.data(), rbd_block};
    backend::io_channel* channel = nullptr;
    rbd_places* where = nullptr;
    std::uint64_t* count = nullptr;
    const bool* over = nullptr;

    void submit() noexcept {
        first_block = where->next();
        ++*count;
        channel->submit(*this);
    }
};

/// Threads and KiB of this process.
std::pair<long, long> size_of_process() {
    const auto threads = std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
    long pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return {threads, resident * 4};
}

double through_the_image(const rbd_load_options& options, std::string& cost) {
    const monotonic_clock clock;
    const auto before = size_of_process();
    auto reactor =
        engine::reactor::create({.id = {}, .busy_window = duration::zero(), .clock = &clock})
            .value();
    auto device = backend::make_rbd_device(options.device,
                                           {.control = reactor.get(), .data = {reactor.get()}})
                      .value();
    if (const auto opened = device->open(backend::opening::asked_for); !opened)
        rbd_give_up(opened.error().text());
    while (device->state() != backend::device_state::ready) reactor->run_once();
    auto channel = device->open_channel(*reactor).value();
    rbd_places where(device->geometry().block_count);
    std::uint64_t done = 0;
    bool over = false;
    std::vector<rbd_load_op> ops(rbd_depth);
    const auto begin = std::chrono::steady_clock::now();
    for (rbd_load_op& op : ops) {
        op.vector.iov_base = op.memory.data();
        op.kind = options.writes ? backend::io_kind::write : backend::io_kind::read;
        op.block_count = 1;
        op.data = {&op.vector, 1};
        op.channel = channel.get();
        op.where = &where;
        op.count = &done;
        op.over = &over;
        op.done = [](backend::io_op& ended, nvme::status status) noexcept {
            if (!nvme::is_success(status)) rbd_give_up("an error of the cluster");
            auto& self = static_cast<rbd_load_op&>(ended);
            if (!*self.over) self.submit();
        };
        op.submit();
    }
    struct stopper final : engine::timer {
        explicit stopper(engine::reactor& r)
            : timer([](engine::timer& t) noexcept { static_cast<stopper&>(t).of.stop(); }), of(r) {}
        engine::reactor& of;
    } stop(*reactor);
    reactor->timers().arm(
        stop, reactor->fresh_now() + std::chrono::duration_cast<duration>(
                                         std::chrono::duration<double>(options.seconds)));
    reactor->run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const double rate = static_cast<double>(done) / took.count();
    const auto after = size_of_process();
    cost = fmt::format("{} threads and {} MiB more", after.first - before.first,
                       (after.second - before.second) / 1024);
    over = true;
    while (channel->outstanding() != 0) reactor->run_once();
    channel.reset();
    device.reset();
    do static_cast<void>(engine::helper_job::wait_for_all(std::chrono::seconds(30)));
    while (reactor->run_once());
    return rate;
}

double rbd_median(std::vector<double> of) {
    std::sort(of.begin(), of.end());
    return of[of.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    rbd_load_options options;
    CLI::App app("4 KiB at queue depth 32: a device on an image of Ceph beside librbd alone");
    app.add_option("image", options.device.image, "that nobody else has open")->required();
    app.add_option("--pool", options.device.pool, "of the image");
    app.add_option("--conf", options.device.conf, "of the client")->required();
    app.add_option("--keyring", options.device.keyring, "of the user");
    app.add_option("--user", options.device.user, "without client.");
    app.add_option("--seconds", options.seconds, "of one run");
    app.add_option("--runs", options.runs, "of each side");
    app.add_flag("--writes", options.writes, "THIS DESTROYS what is there");
    app.add_option("--least", options.least, "ratio that is enough");
    CLI11_PARSE(app, argc, argv);
    std::vector<double> alone, ours;
    std::string first_cost, cost;
    for (int i = 0; i < options.runs; ++i) {
        alone.push_back(librbd_alone(options));
        ours.push_back(through_the_image(options, i == 0 ? first_cost : cost));
    }
    const double ratio = rbd_median(ours) / rbd_median(alone);
    fmt::print(
        "librbd alone {:.0f}/s, through the device {:.0f}/s, ratio {:.2f}; the device has "
        "{}\n",
        rbd_median(alone), rbd_median(ours), ratio, first_cost);
    return ratio >= options.least ? 0 : 1;
}
