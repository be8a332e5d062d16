#include "clock_ns.hpp"

#include <fulmar/host/load.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <time.h>

#include <algorithm>
#include <chrono>

namespace fulmar::host {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t tick_ns = second_ns / 10;
/// Turns between two looks at the clock's slower hands (the end, the watcher).
constexpr unsigned turns_per_check = 256;
/// Turns without anything before a load that may sleep does.
constexpr unsigned idle_turns_max = 500;

std::uint64_t thread_cpu_ns() noexcept {
    timespec spent{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return static_cast<std::uint64_t>(spent.tv_sec) * second_ns +
           static_cast<std::uint64_t>(spent.tv_nsec);
}

/// The upper 64 bits of a product: spreads random numbers evenly over `places`.
std::uint64_t upper_half(std::uint64_t a, std::uint64_t places) noexcept {
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>(static_cast<wide>(a) * places >> 64);
}

}  // namespace

/// One command under way again and again.
struct load::io final : request {
    io(load& l, queue& q, std::byte* m) noexcept
        : request([](request& r) noexcept {
              auto& self = static_cast<io&>(r);
              self.owner.finished(self);
          }),
          owner(l),
          on(q),
          memory(m) {}
    load& owner;
    queue& on;
    std::byte* memory;
    range where;
    std::uint64_t due_ns = 0;  // with a rate
};

load::load(std::span<queue* const> queues, const load_options& options)
    : queues_(queues.begin(), queues.end()),
      options_(options),
      pattern_(options.seed.value_or(0)),
      random_state_(options.random_seed * 0x9e37'79b9'7f4a'7c15 + 1) {
    // Without a pattern nobody looks at the data: one buffer serves every write, and stays in
    // cache.
    const std::size_t count = queues_.size() * options_.depth;
    const std::size_t buffers = options_.seed ? count : 1;
    memory_ = std::make_unique<std::byte[]>(buffers * options_.io_bytes);
    if (!options_.seed)
        pattern(options_.random_seed)
            .fill({memory_.get(), options_.io_bytes}, 0, options_.io_bytes);
    ios_.reserve(count);
    waiting_.reserve(count);
    early_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::byte* const memory = memory_.get() + (options_.seed ? i * options_.io_bytes : 0);
        ios_.push_back(std::make_unique<io>(*this, *queues_[i % queues_.size()], memory));
    }
}

load::~load() = default;

result<void> load::check_options() const {
    if (queues_.empty() || options_.depth == 0)
        return fail(errc::invalid_argument, "a load needs a queue and a depth");
    if (options_.block_bytes == 0 || options_.io_bytes == 0 ||
        options_.io_bytes % options_.block_bytes != 0)
        return fail(errc::invalid_argument, "the I/O size must be a multiple of the block size " +
                                                std::to_string(options_.block_bytes));
    if (options_.io_bytes / options_.block_bytes > 65536)
        return fail(errc::invalid_argument, "one command moves at most 65536 blocks");
    if (options_.region_blocks * options_.block_bytes < options_.io_bytes && !options_.once)
        return fail(errc::invalid_argument, "the region is smaller than one I/O");
    if (options_.read_percent > 100)
        return fail(errc::invalid_argument, "a share of reads is 0 to 100 percent");
    if (options_.rate < 0)
        return fail(errc::invalid_argument, "a rate is 0 or more commands a second");
    return {};
}

result<void> load::run(load_watcher* watcher) {
    FULMAR_CHECK(check_options());
    begun_ns_ = clock_ns();
    cpu_from_ns_ = thread_cpu_ns();
    for (const auto& each : ios_) issue(*each);
    loop(watcher);
    drain();
    snapshot(clock_ns());
    for (queue* q : queues_)
        if (!q->is_open()) return tl::unexpected(q->why_closed());
    return {};
}

void load::loop(load_watcher* watcher) {
    const std::uint64_t end = begun_ns_ + static_cast<std::uint64_t>(options_.seconds * 1e9);
    std::uint64_t next_tick = begun_ns_ + tick_ns;
    std::uint64_t before = begun_ns_;
    unsigned idle_turns = 0;
    for (unsigned turns = 0; under_way_ != 0 || !early_.empty(); ++turns) {
        const bool some = turn();
        const std::uint64_t now = clock_ns();
        if (some) busy_ns_ += now - before;
        before = now;
        idle_turns = some ? 0 : idle_turns + 1;
        if (!options_.spin && idle_turns > idle_turns_max)
            queues_[0]->wait(deadline(std::chrono::milliseconds(1)));
        if (some && turns % turns_per_check != 0) continue;
        if (now >= next_tick) {
            next_tick += tick_ns;
            snapshot(now);
            if (watcher != nullptr && !watcher->tick(report_)) return;
        }
        if (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed)) return;
        if (!options_.once && options_.commands == 0 && now >= end) return;
        if (options_.stop_at_error && report_.failed + report_.mismatches != 0) return;
    }
}

bool load::turn() noexcept {
    bool some = false;
    for (queue* q : queues_) some |= q->poll();
    if (!waiting_.empty()) retry_waiting();
    if (!early_.empty()) some |= issue_due();
    return some;
}

/// Of the next command.
std::uint64_t load::due_ns() const noexcept {
    return begun_ns_ +
           static_cast<std::uint64_t>(static_cast<double>(issued_) * 1e9 / options_.rate);
}

bool load::issue_due() noexcept {
    bool some = false;
    while (!early_.empty() && (!issuing_ || clock_ns() >= due_ns())) {
        io* const one = early_.back();
        early_.pop_back();
        issue(*one);
        some = true;
    }
    return some;
}

void load::retry_waiting() noexcept {
    // Those that are still refused come back to the end; each is tried once.
    for (std::size_t i = waiting_.size(); i-- > 0 && !waiting_.empty();) {
        io* const one = waiting_.front();
        waiting_.erase(waiting_.begin());
        if (!issuing_) {
            --under_way_;
            continue;
        }
        switch (one->on.submit(*one)) {
            case submit_result::queued: break;
            case submit_result::full: waiting_.push_back(one); break;
            case submit_result::closed:
                --under_way_;
                issuing_ = false;
                break;
        }
    }
}

/// Lets what is under way end, so that nothing of ours is lent out any more.
void load::drain() {
    issuing_ = false;
    const deadline until(std::chrono::seconds(30));
    while (under_way_ != 0 && !until.passed()) {
        if (!turn()) queues_[0]->wait(deadline(std::chrono::milliseconds(1)));
    }
    if (under_way_ == 0) return;
    for (queue* q : queues_)
        if (q->outstanding() != 0) q->close();
}

std::uint64_t load::random() noexcept {
    random_state_ ^= random_state_ << 13;
    random_state_ ^= random_state_ >> 7;
    random_state_ ^= random_state_ << 17;
    return random_state_;
}

bool load::next_range(range& out) noexcept {
    const std::uint32_t blocks = options_.io_bytes / options_.block_bytes;
    if (options_.random && !options_.once) {
        const std::uint64_t places = options_.region_blocks / blocks;
        const std::uint64_t place = upper_half(random(), places);
        out = {options_.first_lba + place * blocks, blocks};
        return true;
    }
    std::uint64_t left = options_.region_blocks - next_block_;
    if (options_.once && left == 0) return false;
    if (!options_.once && left < blocks) {
        next_block_ = 0;
        left = options_.region_blocks;
    }
    out = {options_.first_lba + next_block_,
           static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks, left))};
    next_block_ += out.blocks;
    return true;
}

void load::issue(io& one) noexcept {
    if (!issuing_ || (options_.commands != 0 && issued_ == options_.commands)) return;
    if (options_.rate != 0) {
        one.due_ns = due_ns();
        if (clock_ns() < one.due_ns) return early_.push_back(&one);
    }
    if (!next_range(one.where)) return;
    ++issued_;
    const bool read = options_.read_percent == 100 ||
                      (options_.read_percent != 0 && random() % 100 < options_.read_percent);
    one.command.opcode =
        static_cast<std::uint8_t>(read ? nvme::io_opcode::read : nvme::io_opcode::write);
    one.command.nsid = options_.nsid;
    nvme::encode_block_range(one.command, {.slba = one.where.lba, .blocks = one.where.blocks});
    one.direction = read ? transfer::from_controller : transfer::to_controller;
    one.data_bytes = one.where.blocks * options_.block_bytes;
    one.data = read && !options_.seed ? nullptr : one.memory;
    if (!read && options_.seed)
        pattern_.fill({one.memory, one.data_bytes}, one.where.lba, options_.block_bytes);
    switch (one.on.submit(one)) {
        case submit_result::queued: ++under_way_; return;
        case submit_result::full:
            ++under_way_;
            waiting_.push_back(&one);
            return;
        case submit_result::closed: issuing_ = false; return;
    }
}

void load::finished(io& one) noexcept {
    --under_way_;
    if (!one.answered) {
        issuing_ = false;
        return;
    }
    report_.last_answer_ns = one.finished_ns;
    count(one);
    if (options_.stop_at_error && report_.failed + report_.mismatches != 0) issuing_ = false;
    issue(one);
}

void load::count(io& one) noexcept {
    const std::uint64_t took =
        one.finished_ns - (options_.rate != 0 ? one.due_ns : one.submitted_ns);
    if (!one.succeeded()) {
        report_.slowest_failure_ns =
            std::max(report_.slowest_failure_ns, one.finished_ns - one.submitted_ns);
        if (report_.failed++ == 0) {
            report_.first_failure =
                one.data_damaged ? nvme::sc::transient_transport_error : one.status();
            report_.first_failure_lba = one.where.lba;
        }
        return;
    }
    if (one.direction == transfer::from_controller) {
        ++report_.reads;
        report_.read_bytes += one.data_bytes;
        report_.read_latency.add(took);
        if (options_.seed) compare(one);
    } else {
        ++report_.writes;
        report_.written_bytes += one.data_bytes;
        report_.write_latency.add(took);
    }
}

void load::compare(io& one) noexcept {
    const auto found =
        pattern_.check({one.memory, one.data_bytes}, one.where.lba, options_.block_bytes);
    if (!found) return;
    if (report_.mismatches++ == 0) report_.first_mismatch = found;
}

void load::snapshot(std::uint64_t now) noexcept {
    const auto wall = static_cast<double>(std::max<std::uint64_t>(now - begun_ns_, 1));
    report_.seconds = wall / 1e9;
    report_.busy_share = static_cast<double>(busy_ns_) / wall;
    report_.cpu_share = static_cast<double>(thread_cpu_ns() - cpu_from_ns_) / wall;
}

}  // namespace fulmar::host
