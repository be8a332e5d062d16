// Hosts that behave beside hosts that owe data, never read, and strangers that promise: every
// command of the former succeeds, within a bounded number of turns, whatever the seed.
#include "scenario.hpp"

#include <fulmar/nvme/discovery.hpp>

namespace fulmar::sim {
namespace {

constexpr std::uint32_t large_blocks = 256;  // of one command
constexpr std::uint64_t most_rounds = 5'000;

/// A connection that is kept in the state that is wrong with it, and made anew when it ends.
class misbehaving {
  public:
    enum class way { owes, never_reads, promises, never_reads_the_log };

    misbehaving(world& w, int number, way how) : world_(w), number_(number), how_(how) {}

    void act() {
        std::erase_if(queues_, [](const auto& q) { return q->closed(); });
        if (admin_ != nullptr && admin_->closed()) admin_.reset();
        if (admin_ == nullptr) return approach();
        if (!waiting_->done) return;
        if (!enabled_) {
            waiting_ = admin_->enable();
            enabled_ = true;
        } else if (is_stranger()) {
            bother();
        } else if (queues_.size() < 8) {
            another_queue();
        } else if (world_.chance(0.01)) {
            admin_->keep_alive();
        }
    }

  private:
    [[nodiscard]] bool is_stranger() const {
        return how_ == way::promises || how_ == way::never_reads_the_log;
    }
    void approach() {
        queues_.clear();
        identity who = host(number_);
        if (is_stranger()) who.subsystem = std::string(nvme::discovery_nqn);
        admin_ = world_.open(who);
        waiting_ = admin_->connect(0, nvme::cntlid_dynamic);
        enabled_ = false;
    }
    void bother() {
        admin_->connection().set_sending_data(false);
        if (how_ == way::never_reads_the_log) admin_->connection().set_reading(false);
        if (admin_->room() < 2) return;
        if (how_ == way::never_reads_the_log) {
            constexpr std::uint32_t bytes = 64 * 1024;
            admin_->admin(nvme::admin_opcode::get_log_page, 0, bytes,
                          0x70u | (bytes / 4 - 1) << 16);
            return;
        }
        constexpr std::uint32_t bytes = 1u << 20;  // which it does not have
        nvme::sqe promise{};
        promise.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::set_features);
        promise.cdw10 = 0x0bu;
        admin_->submit(promise, {}, false, bytes);
    }
    void another_queue() {
        command_ref connecting;
        queues_.push_back(world_.open_io(*admin_, static_cast<std::uint16_t>(queues_.size() + 1),
                                         std::nullopt, connecting));
        queue& q = *queues_.back();
        connecting->then = [this, &q](command& c) {
            if (!nvme::is_success(c.status)) return;
            if (how_ == way::owes) q.connection().set_sending_data(false);
            for (int i = 0; i < 20; ++i)
                if (how_ == way::owes)
                    q.write(1, 2048, large_blocks, false);
                else
                    q.read(1, 0, large_blocks);
            if (how_ == way::never_reads) q.connection().set_reading(false);
        };
    }

    world& world_;
    int number_;
    way how_;
    std::unique_ptr<queue> admin_;
    std::vector<std::unique_ptr<queue>> queues_;
    command_ref waiting_;
    bool enabled_ = false;
};

TEST(hostile, honest_hosts_go_on_beside_hosts_that_owe_never_read_and_promise) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        world w(options(1 + seed % 2, seed));
        std::uint64_t rounds = 0;
        std::vector<std::unique_ptr<misbehaving>> bad;
        for (int i = 0; i < 12; ++i)
            bad.push_back(
                std::make_unique<misbehaving>(w, 10 + i, static_cast<misbehaving::way>(i % 4)));
        std::vector<std::unique_ptr<queue>> admins, queues;
        for (std::size_t i = 0; i < 3; ++i) {
            admins.push_back(w.admin(host(static_cast<int>(i))));
            queues.push_back(w.io(*admins.back(), 1));
        }
        w.crowd([&] {
            ++rounds;
            for (const auto& b : bad) b->act();
        });
        w.run_for(milliseconds(200));
        for (std::uint64_t i = 0; i < 40; ++i)
            for (std::size_t h = 0; h < queues.size(); ++h) {
                const std::uint64_t lba = h * 256 + i % 8 * 16;
                const std::uint64_t before = rounds;
                const auto write = queues[h]->write(1, lba, 16, i % 2 == 0);
                ASSERT_TRUE(w.wait(write)) << "seed " << seed;
                EXPECT_TRUE(has(write, sc::success)) << "seed " << seed;
                const auto read = queues[h]->read(1, lba, 16);
                ASSERT_TRUE(w.wait(read)) << "seed " << seed;
                EXPECT_TRUE(has(read, sc::success)) << "seed " << seed;
                const auto page = admins[h]->admin(nvme::admin_opcode::identify, 0, 4096, 1);
                ASSERT_TRUE(w.wait(page)) << "seed " << seed;
                EXPECT_TRUE(has(page, sc::success)) << "seed " << seed;
                EXPECT_LE(rounds - before, most_rounds) << "seed " << seed;
            }
        w.crowd(nullptr);
        bad.clear();
    }
}

// What is owed is due, whatever else the host sends meanwhile.
TEST(hostile, other_commands_do_not_extend_the_time_of_data_that_is_owed) {
    world_options o = options(1);
    o.limits.data_stall_s = 2;
    world w(o);
    const auto admin = w.admin(host());
    const auto io = w.io(*admin, 1);
    io->connection().set_sending_data(false);
    const auto owed = io->write(1, 0, 8, false);
    for (int i = 0; i < 50 && !io->closed(); ++i) {
        const auto read = io->read(1, 16);
        w.run_for(milliseconds(100));
        EXPECT_TRUE(read->done);
    }
    EXPECT_TRUE(io->closed());
    EXPECT_TRUE(owed->done);
}

// A peer that takes 64 KiB of its answers a second never stops, and never gets anywhere.
TEST(hostile, a_trickle_of_reading_does_not_extend_the_time_of_an_answer) {
    constexpr int answers = 16;
    constexpr std::int64_t bytes = answers * std::int64_t{large_blocks} * 512;
    world_options o = options(1);
    o.tcp = true;
    o.limits.send_stall_s = 2;
    world w(o);
    identity who = host();
    who.tcp = true;
    const auto admin = w.admin(who);
    const auto io = w.io(*admin, 1);
    for (int i = 0; i < answers; ++i) (void)io->read(1, 0, large_blocks);
    const instant began = w.now();
    instant next = began;
    w.crowd([&] {
        io->connection().set_reading(w.now() >= next);
        if (w.now() >= next) next += seconds(1);
    });
    const duration by_size =
        std::chrono::nanoseconds(bytes * (1'000'000'000 / limits::slowest_peer_bytes_per_s));
    EXPECT_TRUE(w.run_until([&] { return io->closed(); }, by_size + seconds(2 + 4)));
    EXPECT_GT(w.now() - began, seconds(2 + 2)) << "it was ended for silence";
    w.crowd(nullptr);
}

}  // namespace
}  // namespace fulmar::sim
