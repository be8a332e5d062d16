// 4 KiB at queue depth 32 on one image of Ceph: librbd alone, and a device of ours on it, one after
// the other and again. Both have one client with the same threads. Prints medians and their ratio,
// and what an image costs in threads and memory; exits with 1 when the ratio is below --least.
// bench-links: base nvme engine mem backend
#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <rbd/librbd.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
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

/// Requests of librbd alone, each of which begins the next one when it ends.
struct alone_run {
    librbd::Image& image;
    bool writes;
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::size_t> running{0};

    struct slot {
        alone_run* of = nullptr;
        rbd_places where;
        ceph::bufferlist data{};
        std::array<char, rbd_block> memory{};
    };
    static void submit(slot& s) {
        auto* const c =
            std::make_unique<librbd::RBD::AioCompletion>(&s, &alone_run::ended).release();
        s.data.clear();
        const std::uint64_t offset = s.where.next() * rbd_block;
        if (s.of->writes) s.data.append(s.memory.data(), rbd_block);
        must(s.of->writes ? s.of->image.aio_write(offset, rbd_block, s.data, c)
                          : s.of->image.aio_read(offset, rbd_block, s.data, c),
             "a request");
    }
    static void ended(librbd::completion_t c, void* arg) {
        auto& s = *static_cast<slot*>(arg);
        auto* const completion = static_cast<librbd::RBD::AioCompletion*>(c);
        if (completion->get_return_value() < 0) rbd_give_up("an error of the cluster");
        completion->release();
        if (!s.of->writes) s.data.begin().copy(rbd_block, s.memory.data());
        s.of->done.fetch_add(1);
        if (s.of->over) {
            s.of->running.fetch_sub(1);
            return;
        }
        submit(s);
    }
};

double librbd_alone(const rbd_load_options& options) {
    const backend::rbd_options& o = options.device;
    librados::Rados rados;
    must(rados.init2(("client." + o.user).c_str(), "ceph", 0), "a client");
    must(rados.conf_read_file(o.conf.c_str()), "the configuration");
    must(rados.conf_set("rbd_cache", "false"), "rbd_cache");
    if (!o.keyring.empty()) must(rados.conf_set("keyring", o.keyring.c_str()), "keyring");
    must(rados.connect(), "connecting");
    double rate = 0;
    {
        librados::IoCtx pool;
        must(rados.ioctx_create(o.pool.c_str(), pool), "the pool");
        librbd::RBD rbd;
        librbd::Image image;
        must(rbd.open(pool, image, o.image.c_str()), "the image");
        std::uint64_t size = 0;
        must(image.size(&size), "its size");
        must(image.lock_acquire(RBD_LOCK_MODE_EXCLUSIVE), "its lock");
        alone_run run{.image = image, .writes = options.writes};
        std::vector<std::unique_ptr<alone_run::slot>> slots;
        run.running = rbd_depth;
        for (std::size_t i = 0; i < rbd_depth; ++i)
            slots.push_back(std::make_unique<alone_run::slot>(
                alone_run::slot{.of = &run, .where = rbd_places(size / rbd_block)}));
        const auto begin = std::chrono::steady_clock::now();
        for (const auto& s : slots) alone_run::submit(*s);
        std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
        run.over = true;
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        rate = static_cast<double>(run.done) / took.count();
        while (run.running != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        image.close();
    }
    rados.shutdown();
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
    auto reactor = engine::reactor::create({.id = {}, .clock = &clock}).value();
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
