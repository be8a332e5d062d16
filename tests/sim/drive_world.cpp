#include "drive_world.hpp"

#include <algorithm>

namespace fulmar::sim {

using backend::drive_occurrence;
using backend::drive_state;
using backend::loss_cause;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::fake_drive;

namespace {

const drive_world* current = nullptr;

const fake_drive::options sim_drive_options{.block_count = 1024, .queues = 4};

}  // namespace

const drive_world* running_drive() { return current; }

struct drive_world::operation final : backend::io_op {
    operation(drive_world& w, std::size_t which) : owner(&w), piece(which) {
        done = [](backend::io_op& op, nvme::status s) noexcept {
            auto& self = static_cast<operation&>(op);
            self.owner->answered(self, s);
        };
        vector = {w.buffers_.data() + which * piece_bytes, piece_bytes};
        data = {&vector, 1};
        block_count = piece_bytes / 512;
        first_block = which * block_count % sim_drive_options.block_count;
    }
    drive_world* owner;
    std::size_t piece;
    iovec vector{};
    int answers = 0;
};

drive_world::drive_world(std::uint64_t seed)
    : seed_(seed),
      scope_(__FILE__, __LINE__, fmt::format("seed {}", seed)),
      random_(seed),
      sim_drive_(sim_drive_options, jobs_, random_) {
    current = this;
    for (std::uint32_t i = 0; i < 3; ++i) {
        reactors_.push_back(
            engine::reactor::create(
                {.id = {}, .busy_window = {}, .clock = &clock_, .descriptors = true})
                .value());
        idleness_.push_back(one_in(4) ? 20 : 1 + pick(3));
    }
    sim_drive().guard_memory([this](const std::byte* at, std::uint64_t) {
        if (at < buffers_.data() || at >= buffers_.data() + buffers_.size()) return true;
        return bool{lent_[static_cast<std::size_t>(at - buffers_.data()) / piece_bytes]};
    });
    environment_ = {.control = reactors_[0].get(),
                    .data = {reactors_[1].get(), reactors_[2].get()},
                    .provider = &sim_drive().provider(),
                    .memory = {{buffers_.data(), buffers_.size()}},
                    .device_list = &device_list_,
                    .observer = this};
    device_ = backend::make_pcie_device({.name = "drive",
                                         .address = vfio::parse_pci_address("0000:0b:00.0").value(),
                                         .command_timeout = milliseconds(1500)},
                                        environment_)
                  .value();
    device_->set_listener(this);
    for (const auto& r : {reactors_[1].get(), reactors_[2].get()})
        channels_.push_back(device_->open_channel(*r).value());
}

drive_world::~drive_world() {
    look_ = nullptr;
    sim_drive_.heal();
    sim_drive().hold(false);
    device_->report_loss(loss_cause::removed);  // whatever is outstanding is answered
    EXPECT_TRUE(run_until([&] { return unanswered_ == 0; })) << trace_.tail();
    channels_.clear();
    device_.reset();
    EXPECT_TRUE(run_until([&] { return !sim_drive().is_open() && jobs_.idle(); }));
    resting_ = true;
    run_for(seconds(20));  // a drive that nobody has any more ends when it hears of that
    EXPECT_EQ(sim_drive().bad_dma(), 0u) << "the drive reached memory that is not lent\n"
                                         << trace_.tail();
    current = nullptr;
}

// --- turns ---------------------------------------------------------------------------------------

void drive_world::look() {
    if (device_ != nullptr && seen_ != state()) {
        seen_ = state();
        note("{}", to_string(seen_));
    }
    if (looking_ || !look_) return;
    looking_ = true;
    look_();
    looking_ = false;
}

void drive_world::round() {
    bool worked = false;
    const std::size_t first = pick(reactors_.size());
    for (std::size_t i = 0; i < reactors_.size(); ++i) {
        const std::size_t which = (first + i) % reactors_.size();
        look();
        if (resting_ || one_in(idleness_[which])) worked |= reactors_[which]->run_once();
    }
    look();
    if (resting_ || !one_in(3)) worked |= sim_drive().step_once();
    worked |= jobs_.step();
    const duration step = worked ? microseconds(1 + pick(200)) : microseconds(1 + pick(20'000));
    clock_.advance(worked || !resting_ ? step : std::max(step, next_due() - now()));
}

instant drive_world::next_due() const {
    instant next = std::min(now() + seconds(1), jobs_.next_due());
    for (const auto& r : reactors_) next = std::min(next, r->timers().next_wakeup());
    return next;
}

// --- what happens --------------------------------------------------------------------------------

void drive_world::submit(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        while (lent_[next_piece_]) {
            next_piece_ = (next_piece_ + 1) % pieces;
            if (unanswered_ == pieces) return;
        }
        auto& op = operations_.emplace_back(std::make_unique<operation>(*this, next_piece_));
        op->kind = one_in(3) ? backend::io_kind::write : backend::io_kind::read;
        lent_[next_piece_] = true;
        next_piece_ = (next_piece_ + 1) % pieces;
        ++unanswered_;
        channels_[pick(channels_.size())]->submit(*op);
    }
}

void drive_world::answered(operation& op, nvme::status status) noexcept {
    ++op.answers;
    EXPECT_EQ(op.answers, 1) << "answered again\n" << trace_.tail();
    if (op.answers != 1) return;
    note("operation {} ends: {}", op.piece, nvme::describe(status));
    lent_[op.piece] = false;
    --unanswered_;
}

void drive_world::give(drive_fault what) {
    note("{}", to_string(what));
    const backend::drive_status before = status();
    if (sim_drive_.give(what)) return;
    switch (what) {
        case drive_fault::removed: {
            device_->report_loss(loss_cause::removed);
            const backend::drive_status after = status();
            const bool here =
                before.state == drive_state::linking || before.state == drive_state::ready;
            EXPECT_EQ(after.losses - before.losses, here ? 1u : 0u) << trace_.tail();
            // While it is brought up, the first sign waits for that to end.
            if (before.state == drive_state::attaching) return;
            EXPECT_EQ(after.late_reports - before.late_reports, here ? 0u : 1u) << trace_.tail();
            return;
        }
        case drive_fault::detach:
        case drive_fault::drain: EXPECT_TRUE(device_->detach(what == drive_fault::drain)); return;
        case drive_fault::arrival: return device_->arrived();
        case drive_fault::attach: EXPECT_TRUE(device_->attach()); return;
        case drive_fault::request:
        case drive_fault::bus_error:
        case drive_fault::silent_zeros:
        case drive_fault::silent_ones:
        case drive_fault::fatal:
        case drive_fault::stuck:
        case drive_fault::hostile: return;  // given
    }
}

void drive_world::on_device_lost(backend::device&, const std::string& why) noexcept {
    ++losses_;
    note("lost: {}", why);
    EXPECT_EQ(losses_, returns_) << "a loss of what was not there\n" << trace_.tail();
}

void drive_world::on_device_returned(backend::device&) noexcept {
    ++returns_;
    note("returned");
    EXPECT_EQ(losses_ + 1, returns_) << "a return of what was there\n" << trace_.tail();
}

void drive_world::on_drive_event(const backend::pcie_options&, drive_occurrence what,
                                 loss_cause cause, std::string_view detail) noexcept {
    note("told: {} {} {}", to_string(what), to_string(cause), detail);
    if (what == drive_occurrence::lost) {
        EXPECT_EQ(++told_, 1) << "a second loss of one incarnation\n" << trace_.tail();
    }
    if (what == drive_occurrence::released) {
        told_ = 0;
        EXPECT_FALSE(sim_drive().is_open()) << trace_.tail();
    }
}

// --- rest ----------------------------------------------------------------------------------------

bool drive_world::rest() {
    look_ = nullptr;
    const instant end = now() + seconds(300);
    instant changed = now();
    std::uint32_t generation = 0;
    const auto idle = [&] {
        return jobs_.idle() && unanswered_ == 0 && sim_drive_.healthy() &&
               (state() == drive_state::absent || state() == drive_state::ready);
    };
    const auto stop = [&](bool rested) {
        resting_ = false;
        return rested;
    };
    for (;;) {
        resting_ = idle() && generation == status().generation;
        if (!resting_) changed = now();
        if (now() - changed >= seconds(8)) return stop(true);  // longer than it takes to try again
        if (now() >= end) return stop(false);
        generation = status().generation;
        sim_drive_.heal();
        // What only the registers say is heard of when something waits for the drive.
        if (!sim_drive_.healthy() && state() == drive_state::ready && unanswered_ == 0) submit(4);
        round();
    }
}

void drive_world::expect_rest(bool there) {
    ASSERT_TRUE(rest()) << "it does not come to rest\n" << trace_.tail();
    for (const auto& op : operations_) EXPECT_EQ(op->answers, 1);
    const backend::drive_status at_rest = status();
    EXPECT_EQ(returns_ - losses_, at_rest.state == drive_state::ready ? 1 : 0) << trace_.tail();
    EXPECT_EQ(sim_drive().is_open(), at_rest.state == drive_state::ready) << trace_.tail();
    const loss_cause why = at_rest.last_loss;
    if (there) {
        EXPECT_EQ(at_rest.state, drive_state::ready) << trace_.tail();
    }
    if (at_rest.detached) {
        EXPECT_EQ(at_rest.state, drive_state::absent) << trace_.tail();
    } else if (at_rest.state == drive_state::absent) {
        EXPECT_TRUE(why == loss_cause::removal_requested || why == loss_cause::removed ||
                    why == loss_cause::silent || sim_drive_.requested())
            << "it stays away after " << to_string(why) << '\n'
            << trace_.tail();
    }
    // Whatever has happened, it serves when it is wanted.
    give(drive_fault::attach);
    ASSERT_TRUE(becomes(drive_state::ready)) << trace_.tail();
    const int before = losses_;
    submit(16);
    EXPECT_TRUE(run_until([&] { return unanswered_ == 0; })) << trace_.tail();
    EXPECT_EQ(losses_, before) << trace_.tail();
    EXPECT_EQ(sim_drive().bad_dma(), 0u) << "the drive reached memory that is not lent\n"
                                         << trace_.tail();
    operations_.clear();
}

}  // namespace fulmar::sim
