// 4 KiB at queue depth 32 against one NBD server: libnbd alone, and a device of ours on it, one
// after the other and again. Both have one thread and one connection. Prints medians and their
// ratio; exits with 1 when that is below --least.
// bench-links: base nvme engine mem backend
#include <fulmar/backend/nbd_device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/reactor.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <libnbd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace fulmar;

constexpr std::size_t depth = 32;
constexpr std::uint64_t block = 4096;

struct nbd_load_options {
    std::string uri;
    double seconds = 1;
    int runs = 5;
    bool writes = false;
    double least = 0.9;
};

/// The next place, anywhere below `blocks`.
class places {
  public:
    explicit places(std::uint64_t blocks) : blocks_(blocks) {}
    std::uint64_t next() noexcept {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        return (state_ >> 20) % blocks_;
    }

  private:
    std::uint64_t blocks_;
    std::uint64_t state_ = 1;
};

struct alone_slot {
    alignas(4096) std::array<std::byte, block> data{};
    bool ended = true;
};

[[noreturn]] void give_up(const std::string& why) {
    fmt::print(stderr, "fulmar-nbd-load: {}\n", why);
    std::exit(2);
}

double libnbd_alone(const nbd_load_options& options) {
    nbd_handle* const h = nbd_create();
    if (h == nullptr || nbd_connect_uri(h, options.uri.c_str()) != 0) give_up(nbd_get_error());
    places where(static_cast<std::uint64_t>(nbd_get_size(h)) / block);
    std::vector<alone_slot> slots(depth);
    const nbd_completion_callback none{};
    std::uint64_t done = 0;
    const auto begin = std::chrono::steady_clock::now();
    const auto end = begin + std::chrono::duration<double>(options.seconds);
    while (std::chrono::steady_clock::now() < end) {
        for (alone_slot& slot : slots) {
            if (!slot.ended) continue;
            slot.ended = false;
            nbd_completion_callback callback = none;
            callback.user_data = &slot;
            callback.callback = [](void* of, int* error) {
                if (*error != 0) give_up("an error of the server");
                static_cast<alone_slot*>(of)->ended = true;
                return 1;
            };
            ++done;
            const std::uint64_t offset = where.next() * block;
            if ((options.writes
                     ? nbd_aio_pwrite(h, slot.data.data(), block, offset, callback, 0)
                     : nbd_aio_pread(h, slot.data.data(), block, offset, callback, 0)) < 0)
                give_up(nbd_get_error());
        }
        if (nbd_poll(h, 1000) < 0) give_up(nbd_get_error());
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    // nbdkit 1.32 may end with an assertion when a connection is closed while it answers.
    while (!std::all_of(slots.begin(), slots.end(), [](const auto& slot) { return slot.ended; }))
        if (nbd_poll(h, 1000) < 0) give_up(nbd_get_error());
    nbd_close(h);
    return static_cast<double>(done) / took.count();
}

struct load_op : backend::io_op {
    alignas(4096) std::array<std::byte, block> memory{};
    iovec vector{memory.data(), block};
    backend::io_channel* channel = nullptr;
    places* where = nullptr;
    std::uint64_t* count = nullptr;
    const bool* over = nullptr;

    void submit() noexcept {
        first_block = where->next() * (block / 512);
        ++*count;
        channel->submit(*this);
    }
};

double through_the_device(const nbd_load_options& options) {
    const monotonic_clock clock;
    auto reactor = engine::reactor::create({.id = {}, .clock = &clock}).value();
    auto device = backend::make_nbd_device({.name = "bench", .uri = options.uri},
                                           {.control = reactor.get(), .data = {reactor.get()}})
                      .value();
    if (const auto opened = device->open(backend::opening::asked_for); !opened)
        give_up(opened.error().text());
    while (device->state() != backend::device_state::ready) reactor->run_once();
    auto channel = device->open_channel(*reactor).value();
    places where(device->geometry().block_count * 512 / block);
    std::uint64_t done = 0;
    bool over = false;
    std::vector<load_op> ops(depth);
    const auto begin = std::chrono::steady_clock::now();
    for (load_op& op : ops) {
        op.vector.iov_base = op.memory.data();
        op.kind = options.writes ? backend::io_kind::write : backend::io_kind::read;
        op.block_count = block / 512;
        op.data = {&op.vector, 1};
        op.channel = channel.get();
        op.where = &where;
        op.count = &done;
        op.over = &over;
        op.done = [](backend::io_op& ended, nvme::status status) noexcept {
            if (!nvme::is_success(status)) give_up("an error of the server");
            auto& self = static_cast<load_op&>(ended);
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
    over = true;
    while (channel->outstanding() != 0) reactor->run_once();
    channel.reset();
    device.reset();
    while (reactor->run_once()) {}
    return rate;
}

double median(std::vector<double> of) {
    std::sort(of.begin(), of.end());
    return of[of.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    nbd_load_options options;
    CLI::App app("4 KiB at queue depth 32: a device on an NBD server beside libnbd alone");
    app.add_option("uri", options.uri, "of the server")->required();
    app.add_option("--seconds", options.seconds, "of one run");
    app.add_option("--runs", options.runs, "of each side");
    app.add_flag("--writes", options.writes, "THIS DESTROYS what is there");
    app.add_option("--least", options.least, "ratio that is enough");
    CLI11_PARSE(app, argc, argv);
    std::vector<double> alone, ours;
    for (int i = 0; i < options.runs; ++i) {
        alone.push_back(libnbd_alone(options));
        ours.push_back(through_the_device(options));
    }
    const double ratio = median(ours) / median(alone);
    fmt::print("libnbd alone {:.0f}/s, through the device {:.0f}/s, ratio {:.2f}\n", median(alone),
               median(ours), ratio);
    return ratio >= options.least ? 0 : 1;
}
